#include "inference/grpc/wire.h"

namespace holdfast::inference::grpc_door {

Wire::Wire(Door& door) : door_(door) {}

void Wire::expect() {
  until_begun_ = shared_from_this();
  context_.AsyncNotifyWhenDone(static_cast<Event*>(&ended_));
  door_.others.RequestCall(&context_, &stream_, door_.queue.get(), door_.queue.get(),
                           static_cast<Event*>(&begun_));
}

void Wire::begun(bool ok) {
  const auto self = std::exchange(until_begun_, nullptr);
  if (!ok) return;  // the server stops; of a call that never was no end is told
  until_ended_ = self;
  expect_other(door_);
  door_.group.spawn(door_.runtime.next_executor(), "grpc call", run(self));
}

void Wire::ended(bool) {
  gone_ = true;
  const auto self = std::exchange(until_ended_, nullptr);
}

Task<bool> Wire::read(grpc::ByteBuffer& into) {
  Step::Start start = [this, &into](void* tag) { stream_.Read(&into, tag); };
  co_return co_await step_.wait(std::move(start));
}

Task<bool> Wire::write(const grpc::ByteBuffer& from) {
  Step::Start start = [this, &from](void* tag) { stream_.Write(from, tag); };
  co_return co_await step_.wait(std::move(start));
}

namespace {

Task<Result<void>> answer(const Method& method, Door& door, Wire& wire, grpc::ByteBuffer& bytes) {
  if (!co_await wire.read(bytes)) co_return fail(Code::invalid_argument, kUnreadable);
  co_return co_await method.answer(door, wire.context(), bytes);
}

Task<Result<void>> converse(const Method& method, Door& door, Wire& wire, grpc::Status& status) {
  status = co_await method.converse(door, wire);
  co_return Result<void>();
}

}  // namespace

Task<void> Wire::run(std::shared_ptr<Wire> self) {
  const Method* method = find_method(context_.method());
  grpc::ByteBuffer bytes;
  grpc::Status status(grpc::StatusCode::UNIMPLEMENTED, "there is no such call");
  const bool one = method != nullptr && method->answer != nullptr;
  if (method != nullptr) {
    auto work =
        one ? answer(*method, door_, *this, bytes) : converse(*method, door_, *this, status);
    const auto done = co_await guarded(std::move(work));
    if (one || !done) status = done ? grpc::Status::OK : to_status(done.error());
  }
  Step::Start start = [this, &bytes, &status, one](void* tag) {
    if (one && status.ok())
      stream_.WriteAndFinish(bytes, {}, status, tag);
    else
      stream_.Finish(status, tag);
  };
  co_await step_.wait(std::move(start));
}

void expect_other(Door& door) {
  door.expecting([&door] { std::make_shared<Wire>(door)->expect(); });
}

}  // namespace holdfast::inference::grpc_door
