// What the door's calls share, and how one is run. For grpc/ alone.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <mutex>
#include <set>

#include "inference.grpc.pb.h"
#include "inference/grpc/codec.h"
#include "inference/grpc/service.h"
#include "net/task_group.h"

namespace holdfast::inference::grpc_door {

// A call that may wait for its client for ever, so that a stop must end it.
class LongCall {
 public:
  virtual ~LongCall() = default;
  virtual void stop() = 0;  // any thread; may come more than once
};

struct Door {
  Door(Runtime& runtime_, Repository& repository_, GrpcOptions options_)
      : runtime(runtime_), repository(repository_), options(std::move(options_)) {}
  Runtime& runtime;
  Repository& repository;
  const GrpcOptions options;
  TaskGroup group;
  std::atomic<bool> stopping{false};

  // Whether the call may be answered: `admin` where it changes the server. unauthenticated, denied.
  Result<void> admit(const grpc::CallbackServerContext& context, bool admin = false) const;

  void enter(LongCall* call);
  void leave(LongCall* call);
  void stop_long_calls();

 private:
  std::mutex mutex_;
  std::set<LongCall*> long_calls_;
};

// Answers with what `work` comes to. The call's context and messages live until it has.
grpc::ServerUnaryReactor* answer(Door& door, Task<Result<void>> work);
// Answers at once.
grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext* context, const Result<void>& done);

// One request of a stream. `context` gives the deadline and tells whether the client has gone;
// `trace` becomes the request's, null where it is not traced, and is to end when the answer is
// written.
Task<Result<void>> infer(Door& door, const grpc::CallbackServerContext& context,
                         const pb::ModelInferRequest& request, pb::ModelInferResponse& response,
                         TracePtr& trace);

// The same for a call of its own: a quick one is answered on the thread that read it.
grpc::ServerUnaryReactor* answer_infer(Door& door, grpc::CallbackServerContext* context,
                                       const pb::ModelInferRequest* request,
                                       pb::ModelInferResponse* response);

// bad_alloc and the like become an answer too: a call without one would hang.
Task<Result<void>> guarded(Task<Result<void>> work);

// Requests as bytes: what can not be read has its answer as every other request.
using StreamReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, pb::ModelStreamInferResponse>;
StreamReactor* start_stream(Door& door, grpc::CallbackServerContext* context);

// Null options.certificates: plain. The server must end before it.
std::shared_ptr<grpc::ServerCredentials> credentials_of(const GrpcOptions& options);

std::unique_ptr<grpc::Service> make_inference_service(Door& door);
std::unique_ptr<grpc::Service> make_health_service(Door& door);

}  // namespace holdfast::inference::grpc_door
