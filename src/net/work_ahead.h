// Work on a pool, one piece after the other, that its owner waits for later, after it has prepared
// the next.
#pragma once

#include <functional>
#include <memory>

#include "net/runtime.h"

namespace holdfast {

// One task's. It may end while work is under way: that holds what it needs itself, and what has not
// begun is dropped.
class WorkAhead {
 public:
  WorkAhead();
  ~WorkAhead();
  WorkAhead(const WorkAhead&) = delete;
  WorkAhead& operator=(const WorkAhead&) = delete;

  // Runs once all that was started before is done; never, where one of those failed.
  void start(BlockingPool& pool, std::function<Result<void>()> work);
  // How many pieces are under way or wait; by the time of a use, it may be fewer.
  size_t left() const;
  // Until at most `most` are left; the first error of all that was started.
  Task<Result<void>> wait(size_t most = 0);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace holdfast
