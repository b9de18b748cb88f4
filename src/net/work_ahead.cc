#include "net/work_ahead.h"

namespace holdfast {

void WorkAhead::start(BlockingPool& pool, std::function<Result<void>()> work) {
  state_->busy = true;  // nobody else looks at it now
  pool.submit([state = state_, work = std::move(work)]() mutable {
    Result<void> outcome = work();
    work = nullptr;
    std::function<void()> resume;
    {
      const std::lock_guard lock(state->mutex);
      state->busy = false;
      if (state->outcome) state->outcome = std::move(outcome);
      resume = std::move(state->resume);
      state->resume = nullptr;
    }
    if (resume) resume();
  });
}

Task<Result<void>> WorkAhead::wait() {
  const auto state = state_;
  bool busy = false;
  {
    const std::lock_guard lock(state->mutex);
    busy = state->busy;
  }
  if (busy) {
    std::function<void(std::function<void()>)> begin = [state](std::function<void()> resume) {
      {
        const std::lock_guard lock(state->mutex);
        if (state->busy) {
          state->resume = std::move(resume);
          return;
        }
      }
      resume();
    };
    co_await suspend(std::move(begin));
  }
  const std::lock_guard lock(state->mutex);
  co_return state->outcome;
}

}  // namespace holdfast
