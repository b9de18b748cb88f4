#include "inference/grpc/events.h"

#include <grpc/support/time.h>
#include <sched.h>

#include <chrono>
#include <utility>

#include "net/runtime.h"

namespace holdfast::inference::grpc_door {

Task<bool> Step::wait(Start start) {
  std::function<void(std::function<void()>)> begin = [this, &start](std::function<void()> resume) {
    resume_ = std::move(resume);
    start(static_cast<Event*>(this));
  };
  co_await suspend(std::move(begin));
  co_return ok_;
}

void Step::happened(bool ok) {
  ok_ = ok;
  const auto resume = std::exchange(resume_, nullptr);
  resume();  // `this` may be gone after it
}

// A thread that was woken soon after it fell asleep looks again for a moment before it sleeps, as
// those of the runtime do (net/runtime.cc).
void pass_events(grpc::CompletionQueue& queue) {
  using Clock = std::chrono::steady_clock;
  using Queue = grpc::CompletionQueue;
  constexpr auto kMoment = std::chrono::microseconds(100);
  const gpr_timespec now = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  const gpr_timespec never = gpr_inf_future(GPR_CLOCK_MONOTONIC);
  void* tag = nullptr;
  bool ok = false;
  for (bool eager = false;;) {
    auto found = queue.AsyncNext(&tag, &ok, now);
    if (found == Queue::TIMEOUT && eager) {
      for (const auto until = Clock::now() + kMoment;
           found == Queue::TIMEOUT && Clock::now() < until;) {
        ::sched_yield();
        found = queue.AsyncNext(&tag, &ok, now);
      }
    }
    if (found == Queue::TIMEOUT) {
      const auto asleep = Clock::now();
      found = queue.AsyncNext(&tag, &ok, never);
      eager = Clock::now() - asleep < kMoment;
    }
    if (found == Queue::SHUTDOWN) return;
    if (found == Queue::GOT_EVENT) static_cast<Event*>(tag)->happened(ok);
  }
}

}  // namespace holdfast::inference::grpc_door
