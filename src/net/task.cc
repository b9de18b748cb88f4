#include "net/task.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace holdfast {

namespace asio = boost::asio;

Task<Executor> this_executor() {
  Executor executor = co_await asio::this_coro::executor;
  co_return executor;
}

Task<Result<void>> sleep_for(std::chrono::nanoseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (error) co_return fail(Code::cancelled, "the wait was cancelled");
  co_return Result<void>();
}

}  // namespace holdfast
