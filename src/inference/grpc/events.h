// What the door's completion queue tells, and to whom.
#pragma once

#include <grpcpp/completion_queue.h>

#include <functional>

#include "net/task.h"

namespace holdfast::inference::grpc_door {

// Every tag of the queue is one of these.
class Event {
 public:
  virtual void happened(bool ok) = 0;  // on a thread of the queue, which others wait for

 protected:
  ~Event() = default;
};

// What a method of its owner is told.
template <class Owner>
class Told final : public Event {
 public:
  using Method = void (Owner::*)(bool ok);
  Told(Owner& owner, Method method) : owner_(owner), method_(method) {}
  void happened(bool ok) override { (owner_.*method_)(ok); }

 private:
  Owner& owner_;
  const Method method_;
};

// What a coroutine waits for, one thing at a time.
class Step final : public Event {
 public:
  using Start = std::function<void(void* tag)>;
  // Whether what `start` begins went well. Not cancellable: gRPC ends everything that it began.
  Task<bool> wait(Start start);
  void happened(bool ok) override;

 private:
  std::function<void()> resume_;
  bool ok_ = false;
};

// Passes events on until the queue is shut down and empty.
void pass_events(grpc::CompletionQueue& queue);

}  // namespace holdfast::inference::grpc_door
