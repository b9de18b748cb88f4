#include "net/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <cassert>
#include <list>
#include <mutex>
#include <vector>

#include "base/log.h"
#include "net/runtime.h"

namespace holdfast {

namespace asio = boost::asio;

struct TaskGroup::State {
  struct Member {
    explicit Member(Executor executor_) : executor(std::move(executor_)) {}
    Executor executor;
    asio::cancellation_signal signal;  // emitted on `executor` alone
  };
  mutable std::mutex mutex;
  std::list<std::shared_ptr<Member>> members;
  std::vector<std::function<void()>> joiners;
  bool cancelled = false;

  void ended(std::list<std::shared_ptr<Member>>::iterator at) {
    std::vector<std::function<void()>> wake;
    {
      const std::lock_guard lock(mutex);
      members.erase(at);
      if (members.empty()) wake.swap(joiners);
    }
    for (auto& resume : wake) resume();
  }
};

namespace {

void report(const std::string& name, const std::exception_ptr& error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    // Cancellation unwinds a task by this exception; it is the ordinary end.
    if (e.code() == asio::error::operation_aborted) return;
    log::error("task", "a task ended by an exception", {{"task", name}, {"error", e.what()}});
  } catch (const std::exception& e) {
    log::error("task", "a task ended by an exception", {{"task", name}, {"error", e.what()}});
  }
}

}  // namespace

TaskGroup::TaskGroup() : state_(std::make_shared<State>()) {}

TaskGroup::~TaskGroup() {
  cancel();
  assert(size() == 0 && "TaskGroup destroyed before join()");
}

void TaskGroup::spawn(Executor executor, std::string_view name, Task<void> task) {
  auto member = std::make_shared<State::Member>(executor);
  std::list<std::shared_ptr<State::Member>>::iterator at;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->cancelled) return;
    at = state_->members.insert(state_->members.end(), member);
  }
  auto done = [state = state_, member, at, text = std::string(name)](std::exception_ptr error) {
    report(text, error);
    state->ended(at);
  };
  // Spawned from its own executor, so that the signal's slot is only ever touched there.
  asio::post(executor, [member, task = std::move(task), done = std::move(done)]() mutable {
    asio::co_spawn(member->executor, std::move(task),
                   asio::bind_cancellation_slot(member->signal.slot(), std::move(done)));
  });
}

void TaskGroup::cancel() {
  std::vector<std::shared_ptr<State::Member>> members;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->cancelled) return;
    state_->cancelled = true;
    members.assign(state_->members.begin(), state_->members.end());
  }
  for (auto& member : members) {
    asio::post(member->executor, [member] { member->signal.emit(asio::cancellation_type::all); });
  }
}

Task<void> TaskGroup::join() {
  auto state = state_;
  std::function<void(std::function<void()>)> start = [state](std::function<void()> resume) {
    {
      const std::lock_guard lock(state->mutex);
      if (!state->members.empty()) {
        state->joiners.push_back(std::move(resume));
        return;
      }
    }
    resume();
  };
  co_await suspend(std::move(start));
}

size_t TaskGroup::size() const {
  const std::lock_guard lock(state_->mutex);
  return state_->members.size();
}

}  // namespace holdfast
