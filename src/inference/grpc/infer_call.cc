// ModelInfer: a quick request is answered on the thread that read it.
#include "base/log.h"
#include "inference/grpc/door.h"
#include "inference/grpc/events.h"

namespace holdfast::inference::grpc_door {
namespace {

constexpr const char* kPath = "/inference.GRPCInferenceService/ModelInfer";
constexpr std::string_view kCall = "inference.GRPCInferenceService/ModelInfer";
constexpr size_t kLarge = 1 << 20;  // bytes, of which reading alone would hold up others

// Owned by itself, until its answer is written and gRPC is through with it.
class InferCall final {
 public:
  explicit InferCall(Door& door) : door_(door) {
    context_.AsyncNotifyWhenDone(static_cast<Event*>(&ended_));
    door.infer.expect(context_, bytes_, answer_, *door.queue, static_cast<Event*>(&begun_));
  }

 private:
  void begun(bool ok) {
    Door& door = door_;
    // The server stops; of a call that never was no end is told.
    if (!ok) return delete this;
    start();  // `this` may be gone after it
    expect_infer(door);
  }
  void start() {
    if (const auto may = door_.admit(context_); !may) return finish(may);
    trace_ = begin_trace(door_, context_, kCall);
    if (bytes_.Length() <= kLarge) {
      if (const auto done = at_once()) return finish(*done);
    }
    door_.group.spawn(door_.runtime.next_executor(), "grpc call", run());
  }
  // bad_alloc and the like become an answer too: a call without one would hang.
  std::optional<Result<void>> at_once() {
    try {
      if (auto good = read_request(); !good) return good;
      return infer_at_once(door_, asked(), response_, trace_.get());
    } catch (const std::exception& error) {
      log::error("grpc", "a call ended by an exception", {{"error", error.what()}});
      return fail(Code::internal, "the request failed inside the server");
    }
  }
  Task<void> run() {
    const auto done = co_await guarded(late());
    finish(done);
  }
  Task<Result<void>> late() {
    CO_TRY_VOID(read_request());
    response_.Clear();
    co_return co_await infer(door_, asked(), response_, trace_.get());
  }
  Result<void> read_request() {
    if (!bytes_.Valid()) return {};  // it was read
    return read(bytes_, request_);
  }
  Asked asked() {
    Asked asked{context_, {}, request_};
    asked.gone = [this] { return gone_.load(); };
    return asked;
  }
  void finish(const Result<void>& done) {  // `this` may be gone after it
    void* tag = static_cast<Event*>(&finished_);
    if (!done) return answer_.FinishWithError(to_status(done.error()), tag);
    write(response_, bytes_);
    answer_.Finish(bytes_, grpc::Status::OK, tag);
  }
  void finished(bool) {
    trace_.reset();
    leave();
  }
  void ended(bool) {
    gone_ = true;
    leave();
  }
  void leave() {
    if (left_.fetch_sub(1) == 1) delete this;
  }

  Door& door_;
  grpc::ServerContext context_;
  grpc::ByteBuffer bytes_;  // of the request, then of the answer
  InferMethod::Answer answer_{&context_};
  Told<InferCall> begun_{*this, &InferCall::begun}, finished_{*this, &InferCall::finished},
      ended_{*this, &InferCall::ended};
  pb::ModelInferRequest request_;
  pb::ModelInferResponse response_;
  TracePtr trace_;
  std::atomic<bool> gone_{false};
  std::atomic<int> left_{2};  // events that come yet
};

}  // namespace

InferMethod::InferMethod() {
  AddMethod(
      new grpc::internal::RpcServiceMethod(kPath, grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
  MarkMethodAsync(0);
}

void InferMethod::expect(grpc::ServerContext& context, grpc::ByteBuffer& request, Answer& answer,
                         grpc::ServerCompletionQueue& queue, void* tag) {
  RequestAsyncUnary(0, &context, &request, &answer, &queue, &queue, tag);
}

void expect_infer(Door& door) {
  door.expecting([&door] { new InferCall(door); });
}

}  // namespace holdfast::inference::grpc_door
