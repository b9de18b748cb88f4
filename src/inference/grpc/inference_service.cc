// The calls of GRPCInferenceService, each in a few lines: what is more is in the file that it
// names.
#include "inference/grpc/door.h"
#include "inference/grpc/models.h"
#include "inference/grpc/readable.h"

namespace holdfast::inference::grpc_door {
namespace {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

// Shared memory is passed as sealed memory over a Unix socket or not at all: a name that a client
// chooses is never mapped.
Result<void> no_shared_memory() {
  return fail(Code::unsupported, "shared memory is not offered; send tensors in the message");
}

class InferenceService final : public pb::GRPCInferenceService::CallbackService {
 public:
  explicit InferenceService(Door& door) : door_(door) {
    using Self = InferenceService;
    handle_all(&Self::ServerLive, &Self::ServerReady, &Self::ModelReady, &Self::ServerMetadata,
               &Self::ModelMetadata, &Self::ModelInfer, &Self::stream, &Self::ModelConfig,
               &Self::ModelStatistics, &Self::RepositoryIndex, &Self::RepositoryModelLoad,
               &Self::RepositoryModelUnload, &Self::SystemSharedMemoryStatus,
               &Self::SystemSharedMemoryRegister, &Self::SystemSharedMemoryUnregister,
               &Self::CudaSharedMemoryStatus, &Self::CudaSharedMemoryRegister,
               &Self::CudaSharedMemoryUnregister, &Self::TraceSetting, &Self::LogSettings);
  }

  Reactor* ServerLive(Context* context, const pb::ServerLiveRequest*,
                      pb::ServerLiveResponse* response) override {
    response->set_live(true);
    return answer(context, {});
  }
  Reactor* ServerReady(Context* context, const pb::ServerReadyRequest*,
                       pb::ServerReadyResponse* response) override {
    response->set_ready(door_.repository.ready() && !door_.stopping);
    return answer(context, {});
  }
  Reactor* ModelReady(Context* context, const pb::ModelReadyRequest* request,
                      pb::ModelReadyResponse* response) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer(context, model_ready(door_, *request, *response));
  }
  Reactor* ServerMetadata(Context* context, const pb::ServerMetadataRequest*,
                          pb::ServerMetadataResponse* response) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    server_metadata(door_, *response);
    return answer(context, {});
  }
  Reactor* ModelMetadata(Context* context, const pb::ModelMetadataRequest* request,
                         pb::ModelMetadataResponse* response) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer(door_, model_metadata(door_, *request, *response));
  }
  Reactor* ModelConfig(Context* context, const pb::ModelConfigRequest* request,
                       pb::ModelConfigResponse* response) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer(door_, model_config(door_, *request, *response));
  }
  Reactor* ModelStatistics(Context* context, const pb::ModelStatisticsRequest* request,
                           pb::ModelStatisticsResponse* response) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer(context, model_statistics(door_, *request, *response));
  }
  Reactor* ModelInfer(Context* context, const pb::ModelInferRequest* request,
                      pb::ModelInferResponse* response) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer_infer(door_, context, request, response);
  }
  StreamReactor* stream(Context* context) { return start_stream(door_, context); }

  Reactor* RepositoryIndex(Context* context, const pb::RepositoryIndexRequest* request,
                           pb::RepositoryIndexResponse* response) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    repository_index(door_, *request, *response);
    return answer(context, {});
  }
  Reactor* RepositoryModelLoad(Context* context, const pb::RepositoryModelLoadRequest* request,
                               pb::RepositoryModelLoadResponse*) override {
    if (auto may = door_.admit(*context, true); !may) return answer(context, may);
    return answer(door_, load_model(door_, *request));
  }
  Reactor* RepositoryModelUnload(Context* context, const pb::RepositoryModelUnloadRequest* request,
                                 pb::RepositoryModelUnloadResponse*) override {
    if (auto may = door_.admit(*context, true); !may) return answer(context, may);
    return answer(door_, door_.repository.unload(request->model_name()));
  }
  Reactor* TraceSetting(Context* context, const pb::TraceSettingRequest* request,
                        pb::TraceSettingResponse* response) override {
    if (auto may = door_.admit(*context, !request->settings().empty()); !may)
      return answer(context, may);
    return answer(context, trace_setting(door_, *request, *response));
  }
  Reactor* LogSettings(Context* context, const pb::LogSettingsRequest* request,
                       pb::LogSettingsResponse* response) override {
    if (auto may = door_.admit(*context, !request->settings().empty()); !may)
      return answer(context, may);
    return answer(context, change_log_settings(*request, *response));
  }

  using Nothing = pb::SharedMemoryRequest;
  using Never = pb::SharedMemoryResponse;
  Reactor* SystemSharedMemoryStatus(Context* context, const Nothing*, Never*) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer(context, no_shared_memory());
  }
  Reactor* SystemSharedMemoryRegister(Context* context, const Nothing*, Never*) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer(context, no_shared_memory());
  }
  Reactor* SystemSharedMemoryUnregister(Context* context, const Nothing*, Never*) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer(context, no_shared_memory());
  }
  Reactor* CudaSharedMemoryStatus(Context* context, const Nothing*, Never*) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer(context, no_shared_memory());
  }
  Reactor* CudaSharedMemoryRegister(Context* context, const Nothing*, Never*) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer(context, no_shared_memory());
  }
  Reactor* CudaSharedMemoryUnregister(Context* context, const Nothing*, Never*) override {
    if (auto may = door_.admit(*context); !may) return answer(context, may);
    return answer(context, no_shared_memory());
  }

 private:
  // In the order of the calls in inference.proto.
  template <class... Calls>
  void handle_all(Calls... calls) {
    int index = 0;
    (handle(index++, calls), ...);
  }
  template <class Request, class Response>
  void handle(int index, Reactor* (InferenceService::*call)(Context*, const Request*, Response*)) {
    MarkMethodCallback(
        index, new ReadableHandler<Request, Response>(
                   [this, call](Context* context, const Request* request, Response* response) {
                     return (this->*call)(context, request, response);
                   }));
  }
  void handle(int index, StreamReactor* (InferenceService::*call)(Context*)) {
    MarkMethodCallback(
        index,
        new grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, pb::ModelStreamInferResponse>(
            [this, call](Context* context) { return (this->*call)(context); }));
  }

  Door& door_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_inference_service(Door& door) {
  return std::make_unique<InferenceService>(door);
}

}  // namespace holdfast::inference::grpc_door
