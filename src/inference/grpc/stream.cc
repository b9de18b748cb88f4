// ModelStreamInfer: requests of one stream are answered one after another, in their order.
#include "inference/grpc/wire.h"

namespace holdfast::inference::grpc_door {
namespace {

constexpr std::string_view kCall = "inference.GRPCInferenceService/ModelStreamInfer";

class Waiting final : public LongCall {
 public:
  Waiting(Door& door, Wire& wire) : door_(door), wire_(wire) { door_.enter(this); }
  ~Waiting() override { door_.leave(this); }
  // A request under way is answered first.
  void stop() override {
    if (!busy) wire_.cancel();
  }
  std::atomic<bool> busy{true};

 private:
  Door& door_;
  Wire& wire_;
};

struct Exchange {
  pb::ModelInferRequest request;
  pb::ModelStreamInferResponse response;
  TracePtr trace;  // ends when the answer is written
};

Task<Result<void>> answer_one(Door& door, Wire& wire, grpc::ByteBuffer& bytes, Exchange& exchange) {
  CO_TRY_VOID(read(bytes, exchange.request));
  exchange.trace = begin_trace(door, wire.context(), kCall);
  Asked asked{wire.context(), {}, exchange.request};
  asked.gone = [&wire] { return wire.gone(); };
  co_return co_await infer(door, std::move(asked), *exchange.response.mutable_infer_response(),
                           exchange.trace.get());
}

}  // namespace

Task<grpc::Status> stream_infer(Door& door, Wire& wire) {
  if (const auto may = door.admit(wire.context()); !may) co_return to_status(may.error());
  bool error_ends = false;
  const auto range = wire.context().client_metadata().equal_range("triton_grpc_error");
  for (auto it = range.first; it != range.second; ++it) error_ends |= it->second == "true";
  Waiting waiting(door, wire);
  grpc::ByteBuffer bytes;
  while (true) {
    waiting.busy = false;
    if (door.stopping) co_return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server stops");
    if (!co_await wire.read(bytes)) co_return grpc::Status::OK;
    waiting.busy = true;
    Exchange exchange;  // a waiting stream does not keep its largest message
    const auto done = co_await guarded(answer_one(door, wire, bytes, exchange));
    if (!done && error_ends) co_return to_status(done.error());
    auto& response = *exchange.response.mutable_infer_response();
    if (!done) {
      response.Clear();
      response.set_id(exchange.request.id());
      exchange.response.set_error_message(done.error().message());
    }
    // One answer a request: the last one too.
    (*response.mutable_parameters())["triton_final_response"].set_bool_param(true);
    write(exchange.response, bytes);
    if (!co_await wire.write(bytes))
      co_return grpc::Status(grpc::StatusCode::CANCELLED, "the client has gone");
    bytes.Clear();
  }
}

}  // namespace holdfast::inference::grpc_door
