#include "inference/breaker.h"

#include <algorithm>

namespace holdfast::inference {

Breaker::Pass Breaker::admit(MonoTime now) {
  if (!open_.load(std::memory_order_acquire)) return Pass::free;
  const std::lock_guard lock(mutex_);
  if (!open()) return Pass::free;
  if (probing_ || now < until_) return Pass::refused;
  probing_ = true;
  return Pass::probe;
}

void Breaker::succeeded(Pass pass) {
  if (pass == Pass::free) {
    if (streak_.load(std::memory_order_relaxed) != 0) streak_.store(0, std::memory_order_relaxed);
    return;
  }
  const std::lock_guard lock(mutex_);
  probing_ = false;
  streak_ = 0;
  open_.store(false, std::memory_order_release);
}

bool Breaker::failed(Pass pass, MonoTime now, const std::string& why) {
  if (options_.failures == 0) return false;
  const std::lock_guard lock(mutex_);
  if (pass == Pass::probe) {
    probing_ = false;
    wait_ = std::min(2 * wait_, options_.longest);
    until_ = now + wait_;
    why_ = why;
    return false;
  }
  if (open() || ++streak_ < options_.failures) return false;
  wait_ = options_.backoff;
  until_ = now + wait_;
  why_ = why;
  open_.store(true, std::memory_order_release);
  ++opened_;
  return true;
}

void Breaker::undecided(Pass pass) {
  if (pass != Pass::probe) return;
  const std::lock_guard lock(mutex_);
  probing_ = false;  // the next request tries
}

std::string Breaker::reason() const {
  const std::lock_guard lock(mutex_);
  if (!open()) return "";
  return "its runs failed " + std::to_string(options_.failures) + " times in a row: " + why_;
}

}  // namespace holdfast::inference
