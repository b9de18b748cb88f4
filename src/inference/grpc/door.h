// What the door's calls share, and how one is run. For grpc/ alone.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/async_unary_call.h>

#include <atomic>
#include <mutex>
#include <set>

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

// ModelInfer, whose message comes with its call. All other calls are told apart by their paths.
class InferMethod final : public grpc::Service {
 public:
  InferMethod();
  using Answer = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;
  void expect(grpc::ServerContext& context, grpc::ByteBuffer& request, Answer& answer,
              grpc::ServerCompletionQueue& queue, void* tag);
};

struct Door {
  Door(Runtime& runtime_, Repository& repository_, GrpcOptions options_)
      : runtime(runtime_), repository(repository_), options(std::move(options_)) {}
  Runtime& runtime;
  Repository& repository;
  const GrpcOptions options;
  InferMethod infer;
  grpc::AsyncGenericService others;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  TaskGroup group;
  std::atomic<bool> stopping{false};  // by close()

  // Whether the call may be answered: `admin` where it changes the server. unauthenticated, denied.
  Result<void> admit(const grpc::ServerContext& context, bool admin = false) const;

  // Expects one more call, unless the door is closed: then the server, which `expect` asks for it,
  // may be gone.
  template <class Expect>
  void expecting(Expect expect) {
    const std::lock_guard lock(expecting_);
    if (!stopping) expect();
  }
  void close() {
    const std::lock_guard lock(expecting_);
    stopping = true;
  }

  void enter(LongCall* call);
  void leave(LongCall* call);
  void stop_long_calls();

 private:
  std::mutex expecting_;
  std::mutex mutex_;
  std::set<LongCall*> long_calls_;
};

// Each takes one call, and the next when that has come. By the thread that passes events.
void expect_infer(Door& door);
void expect_other(Door& door);

// A request to a model, and what is known of who asks.
struct Asked {
  const grpc::ServerContext& context;  // gives the deadline
  std::function<bool()> gone;
  const pb::ModelInferRequest& request;
};

// null: not traced. It is to end when the answer is written.
TracePtr begin_trace(const Door& door, const grpc::ServerContext& context, std::string_view call);
// Also says in `trace` what came of it.
Task<Result<void>> infer(Door& door, Asked asked, pb::ModelInferResponse& response,
                         RequestTrace* trace);
// The same at once, on this thread; nullopt: it would take longer than to change threads.
std::optional<Result<void>> infer_at_once(Door& door, const Asked& asked,
                                          pb::ModelInferResponse& response, RequestTrace* trace);

// bad_alloc and the like become an answer too: a call without one would hang.
Task<Result<void>> guarded(Task<Result<void>> work);

// Null options.certificates: plain. The server must end before it.
std::shared_ptr<grpc::ServerCredentials> credentials_of(const GrpcOptions& options);

}  // namespace holdfast::inference::grpc_door
