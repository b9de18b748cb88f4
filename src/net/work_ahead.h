// Work on a pool that its owner waits for later, after it has prepared the next.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "net/runtime.h"

namespace holdfast {

// One task's. It may end while work is under way: the work holds what it needs itself.
class WorkAhead {
 public:
  // None may be under way.
  void start(BlockingPool& pool, std::function<Result<void>()> work);
  // Until none is under way; the first error of all that was started.
  Task<Result<void>> wait();

 private:
  struct State {
    std::mutex mutex;
    bool busy = false;
    Result<void> outcome;
    std::function<void()> resume;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace holdfast
