// Templates of runtime.h.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>
#include <type_traits>

namespace holdfast {

// Suspends until `resume` (called once, on any thread) and goes on on the caller's executor. Not
// cancellable: what was started must come to its end, because it may use the caller's frame.
Task<void> suspend(std::function<void(std::function<void()> resume)> start);

template <class F>
auto BlockingPool::run(F work) -> Task<decltype(work())> {
  using R = decltype(work());
  using Kept = std::conditional_t<std::is_void_v<R>, bool, R>;
  struct Slot {
    explicit Slot(F work_) : work(std::move(work_)) {}
    F work;
    std::optional<Kept> value;
    std::exception_ptr error;
  };
  auto slot = std::make_shared<Slot>(std::move(work));
  std::function<void(std::function<void()>)> start = [this, slot](std::function<void()> resume) {
    submit([slot, resume = std::move(resume)] {
      try {
        if constexpr (std::is_void_v<R>) {
          slot->work();
        } else {
          slot->value.emplace(slot->work());
        }
      } catch (...) {
        slot->error = std::current_exception();
      }
      resume();
    });
  };
  co_await suspend(std::move(start));
  if (slot->error) std::rethrow_exception(slot->error);
  if constexpr (!std::is_void_v<R>) co_return std::move(slot->value).value();
}

template <class T>
T run_task(Task<T> task) {
  boost::asio::io_context context(1);
  std::exception_ptr error;
  if constexpr (std::is_void_v<T>) {
    boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr e) { error = e; });
    context.run();
    if (error) std::rethrow_exception(error);
  } else {
    std::optional<T> value;
    boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr e, T result) {
      error = e;
      if (!e) value.emplace(std::move(result));
    });
    context.run();
    if (error) std::rethrow_exception(error);
    return std::move(value).value();
  }
}

}  // namespace holdfast
