#include "net/work_ahead.h"

#include <deque>
#include <mutex>
#include <utility>

namespace holdfast {
namespace {

constexpr size_t kTurn = 8;  // pieces that run before others of the pool have their turn

}  // namespace

struct WorkAhead::State {  // held by the work under way
  std::mutex mutex;
  std::deque<std::function<Result<void>()>> works;  // the first is under way while `running`
  bool running = false;
  Result<void> outcome;
  size_t wanted = 0;
  std::function<void()> resume;  // once at most `wanted` are left

  static void submit(const std::shared_ptr<State>& state, BlockingPool& pool) {
    pool.submit([state, &pool] {
      if (state->run()) submit(state, pool);
    });
  }
  // Whether there is more of it.
  bool run() {
    std::unique_lock lock(mutex);
    for (size_t done = 0; done < kTurn && !works.empty(); ++done) {
      auto work = std::move(works.front());
      lock.unlock();
      Result<void> ended = work();
      work = nullptr;
      lock.lock();
      works.pop_front();
      if (!ended && outcome) outcome = std::move(ended);
      auto dropped = outcome ? decltype(works)() : std::exchange(works, {});
      auto go_on = works.size() <= wanted ? std::exchange(resume, nullptr) : nullptr;
      if (dropped.empty() && !go_on) continue;
      lock.unlock();
      dropped.clear();
      if (go_on) go_on();
      lock.lock();
    }
    return running = !works.empty();
  }
};

WorkAhead::WorkAhead() : state_(std::make_shared<State>()) {}

WorkAhead::~WorkAhead() {
  std::deque<std::function<Result<void>()>> dropped;
  const std::lock_guard lock(state_->mutex);
  while (state_->works.size() > 1) {
    dropped.push_back(std::move(state_->works.back()));
    state_->works.pop_back();
  }
}

void WorkAhead::start(BlockingPool& pool, std::function<Result<void>()> work) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->outcome) return;
    state_->works.push_back(std::move(work));
    if (std::exchange(state_->running, true)) return;
  }
  State::submit(state_, pool);
}

size_t WorkAhead::left() const {
  const std::lock_guard lock(state_->mutex);
  return state_->works.size();
}

Task<Result<void>> WorkAhead::wait(size_t most) {
  const auto state = state_;
  if (left() > most) {
    std::function<void(std::function<void()>)> begin = [state, most](std::function<void()> resume) {
      {
        const std::lock_guard lock(state->mutex);
        if (state->works.size() > most) {
          state->wanted = most;
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
