// Which call is answered by what; what is more than a few lines is in the file that it names.
#include <algorithm>
#include <span>
#include <type_traits>

#include "inference/grpc/models.h"
#include "inference/grpc/wire.h"

namespace holdfast::inference::grpc_door {
namespace {

void server_live(Door&, const pb::ServerLiveRequest&, pb::ServerLiveResponse& response) {
  response.set_live(true);
}
void server_ready(Door& door, const pb::ServerReadyRequest&, pb::ServerReadyResponse& response) {
  response.set_ready(door.repository.ready() && !door.stopping);
}
void metadata(Door& door, const pb::ServerMetadataRequest&, pb::ServerMetadataResponse& response) {
  server_metadata(door, response);
}
Task<Result<void>> load(Door& door, const pb::RepositoryModelLoadRequest& request,
                        pb::RepositoryModelLoadResponse&) {
  return load_model(door, request);
}
Task<Result<void>> unload(Door& door, const pb::RepositoryModelUnloadRequest& request,
                          pb::RepositoryModelUnloadResponse&) {
  return door.repository.unload(request.model_name());
}
Result<void> log_setting(Door&, const pb::LogSettingsRequest& request,
                         pb::LogSettingsResponse& response) {
  return change_log_settings(request, response);
}
// Shared memory is passed as sealed memory over a Unix socket or not at all: a name that a client
// chooses is never mapped.
Result<void> no_shared_memory(Door&, const pb::SharedMemoryRequest&, pb::SharedMemoryResponse&) {
  return fail(Code::unsupported, "shared memory is not offered; send tensors in the message");
}

// Who may make a call.
enum class For { anyone, callers, admins, callers_who_only_read };

template <For whom, class Request>
bool for_admins(const Request& request) {
  if constexpr (whom == For::callers_who_only_read) return !request.settings().empty();
  return whom == For::admins;
}

// A call of one message each way, made of the function that does it.
template <For whom, auto work>
struct Unary;
template <For whom, class Kind, class Request, class Response,
          Kind (*work)(Door&, const Request&, Response&)>
struct Unary<whom, work> {
  static Task<Result<void>> answer(Door& door, const grpc::ServerContext& context,
                                   grpc::ByteBuffer& bytes) {
    if (whom != For::anyone) {
      CO_TRY_VOID(door.admit(context));
    }
    Request request;
    Response response;
    CO_TRY_VOID(read(bytes, request));
    if (for_admins<whom>(request)) {
      CO_TRY_VOID(door.admit(context, true));
    }
    if constexpr (std::is_void_v<Kind>) {
      work(door, request, response);
    } else if constexpr (std::is_same_v<Kind, Result<void>>) {
      CO_TRY_VOID(work(door, request, response));
    } else {
      CO_TRY_VOID(co_await work(door, request, response));
    }
    write(response, bytes);
    co_return Result<void>();
  }
};

template <For whom, auto work>
constexpr auto kUnary = &Unary<whom, work>::answer;

constexpr std::string_view kService = "/inference.GRPCInferenceService/";
constexpr auto kNoMemory = kUnary<For::callers, no_shared_memory>;

constexpr Method kMethods[] = {
    {"ServerLive", kUnary<For::anyone, server_live>, nullptr},
    {"ServerReady", kUnary<For::anyone, server_ready>, nullptr},
    {"ModelReady", kUnary<For::callers, model_ready>, nullptr},
    {"ServerMetadata", kUnary<For::callers, metadata>, nullptr},
    {"ModelMetadata", kUnary<For::callers, model_metadata>, nullptr},
    {"ModelStreamInfer", nullptr, stream_infer},
    {"ModelConfig", kUnary<For::callers, model_config>, nullptr},
    {"ModelStatistics", kUnary<For::callers, model_statistics>, nullptr},
    {"RepositoryIndex", kUnary<For::callers, repository_index>, nullptr},
    {"RepositoryModelLoad", kUnary<For::admins, load>, nullptr},
    {"RepositoryModelUnload", kUnary<For::admins, unload>, nullptr},
    {"SystemSharedMemoryStatus", kNoMemory, nullptr},
    {"SystemSharedMemoryRegister", kNoMemory, nullptr},
    {"SystemSharedMemoryUnregister", kNoMemory, nullptr},
    {"CudaSharedMemoryStatus", kNoMemory, nullptr},
    {"CudaSharedMemoryRegister", kNoMemory, nullptr},
    {"CudaSharedMemoryUnregister", kNoMemory, nullptr},
    {"TraceSetting", kUnary<For::callers_who_only_read, trace_setting>, nullptr},
    {"LogSettings", kUnary<For::callers_who_only_read, log_setting>, nullptr},
};
constexpr Method kHealth[] = {
    {"/grpc.health.v1.Health/Check", check_health, nullptr},
    {"/grpc.health.v1.Health/Watch", nullptr, watch_health},
};

const Method* find_in(std::span<const Method> methods, std::string_view path) {
  const auto found = std::ranges::find(methods, path, &Method::path);
  return found == methods.end() ? nullptr : &*found;
}

}  // namespace

const Method* find_method(std::string_view path) {
  if (!path.starts_with(kService)) return find_in(kHealth, path);
  return find_in(kMethods, path.substr(kService.size()));
}

}  // namespace holdfast::inference::grpc_door
