// The one failure that a failing wrapper has been told to give next. Any thread.
#pragma once

#include <mutex>
#include <optional>

#include "base/result.h"

namespace holdfast::store {

class NextFailure {
 public:
  void set(Error error) {
    const std::lock_guard lock(mutex_);
    next_ = std::move(error);
  }
  // Ok, or the failure that was waiting; it is given once.
  Result<void> take() {
    const std::lock_guard lock(mutex_);
    if (!next_) return {};
    std::unexpected<Error> out(std::move(*next_));
    next_.reset();
    return out;
  }

 private:
  std::mutex mutex_;
  std::optional<Error> next_;
};

}  // namespace holdfast::store
