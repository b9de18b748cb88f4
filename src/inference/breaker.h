// Keeps requests away from a model version whose runs fail again and again: after so many failures
// in a row it opens, and requests are refused at once. When the backoff has passed one request is
// let through; if it succeeds the breaker closes, else the backoff doubles. What a request's own
// values bring about is no failure.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace holdfast::inference {

struct BreakerOptions {
  unsigned failures = 5;  // in a row; 0: it never opens
  std::chrono::milliseconds backoff{1000}, longest{60'000};
  std::chrono::milliseconds timeout{30'000};  // a longer run has failed; 0: none has
  // Requests that name no version go to the other one that is in memory while it is open.
  bool fall_back = false;
};

// Any thread may call. Every pass but `refused` is given back by one call of succeeded(), failed()
// or undecided().
class Breaker {
 public:
  enum class Pass { free, probe, refused };

  void configure(const BreakerOptions& options) { options_ = options; }  // before all else
  const BreakerOptions& options() const { return options_; }

  Pass admit(MonoTime now);
  void succeeded(Pass pass);
  // True where it opens by that.
  bool failed(Pass pass, MonoTime now, const std::string& why);
  void undecided(Pass pass);  // whether the model is well was not seen

  bool open() const { return open_.load(std::memory_order_relaxed); }
  std::string reason() const;  // empty while it is closed
  uint64_t times_opened() const { return opened_.load(std::memory_order_relaxed); }

 private:
  BreakerOptions options_;
  std::atomic<bool> open_{false};
  std::atomic<unsigned> streak_{0};
  std::atomic<uint64_t> opened_{0};
  mutable std::mutex mutex_;
  bool probing_ = false;
  MonoTime until_{};
  std::chrono::milliseconds wait_{};
  std::string why_;
};

}  // namespace holdfast::inference
