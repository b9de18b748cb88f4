// ModelStreamInfer: requests of one stream are answered one after another, in their order.
#include <optional>

#include "inference/grpc/door.h"
#include "inference/grpc/readable.h"

namespace holdfast::inference::grpc_door {
namespace {

class StreamCall final : public StreamReactor, public LongCall {
 public:
  StreamCall(Door& door, grpc::CallbackServerContext* context) : door_(door), context_(context) {
    const auto range = context->client_metadata().equal_range("triton_grpc_error");
    for (auto it = range.first; it != range.second; ++it) error_ends_ |= it->second == "true";
    door_.enter(this);
    read();
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    busy_ = true;
    door_.group.spawn(door_.runtime.next_executor(), "grpc stream", run());
  }
  void OnWriteDone(bool ok) override {
    trace_.reset();
    if (!ok)
      Finish({grpc::StatusCode::CANCELLED, "the client has gone"});
    else
      read();
  }
  void OnDone() override {
    door_.leave(this);
    delete this;
  }
  // A request under way is answered first.
  void stop() override {
    if (!busy_) context_->TryCancel();
  }

 private:
  void read() {
    // A waiting stream does not keep its largest message.
    request_.emplace();
    response_.emplace();
    busy_ = false;
    if (door_.stopping)
      Finish({grpc::StatusCode::UNAVAILABLE, "the server stops"});
    else
      StartRead(&bytes_);
  }
  Task<Result<void>> answer(pb::ModelInferResponse& response) {
    using Reader = grpc::SerializationTraits<pb::ModelInferRequest>;
    const bool readable = Reader::Deserialize(&bytes_, &*request_).ok();
    bytes_.Clear();
    if (!readable) co_return fail(Code::invalid_argument, kUnreadable);
    co_return co_await infer(door_, *context_, *request_, response, trace_);
  }
  Task<void> run() {
    auto& response = *response_->mutable_infer_response();
    const auto done = co_await guarded(answer(response));
    if (!done && error_ends_) {
      Finish(to_status(done.error()));
      co_return;
    }
    if (!done) {
      response.Clear();
      response.set_id(request_->id());
      response_->set_error_message(done.error().message());
    }
    // One answer a request: the last one too.
    (*response.mutable_parameters())["triton_final_response"].set_bool_param(true);
    StartWrite(&*response_);  // `this` may be gone after it
  }

  Door& door_;
  grpc::CallbackServerContext* context_;
  bool error_ends_ = false;
  std::atomic<bool> busy_{false};
  grpc::ByteBuffer bytes_;
  std::optional<pb::ModelInferRequest> request_;
  std::optional<pb::ModelStreamInferResponse> response_;
  TracePtr trace_;  // of the request under way
};

class RefusedStream final : public StreamReactor {
 public:
  explicit RefusedStream(const Error& why) { Finish(to_status(why)); }
  void OnDone() override { delete this; }
};

}  // namespace

StreamReactor* start_stream(Door& door, grpc::CallbackServerContext* context) {
  if (const auto may = door.admit(*context); !may) return new RefusedStream(may.error());
  return new StreamCall(door, context);  // owned by itself, until OnDone()
}

}  // namespace holdfast::inference::grpc_door
