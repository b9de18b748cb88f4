#include "net/wake.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <mutex>

namespace holdfast {

namespace asio = boost::asio;

struct Wake::State {
  std::mutex mutex;
  bool raised = false;
  std::shared_ptr<asio::steady_timer> waiting;
};

Wake::Wake() : state_(std::make_shared<State>()) {}
Wake::~Wake() = default;

void Wake::notify() {
  std::shared_ptr<asio::steady_timer> timer;
  {
    const std::lock_guard lock(state_->mutex);
    state_->raised = true;
    timer = state_->waiting;
  }
  // A timer is touched on its own executor alone.
  if (timer) asio::post(timer->get_executor(), [timer] { timer->cancel(); });
}

Task<void> Wake::wait(std::chrono::milliseconds most) {
  auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, most);
  auto state = state_;
  {
    const std::lock_guard lock(state->mutex);
    if (std::exchange(state->raised, false)) co_return;
    state->waiting = timer;
  }
  co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
  const std::lock_guard lock(state->mutex);
  state->waiting.reset();
  state->raised = false;
}

}  // namespace holdfast
