// Task<T>: the one coroutine type. The only third-party type that every module may show.
#pragma once

#include <utility>  // Boost 1.81 headers need it first

#include <chrono>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/result.h"

namespace holdfast {

template <class T>
using Task = boost::asio::awaitable<T>;
using Executor = boost::asio::any_io_executor;

// The executor that the calling coroutine runs on.
Task<Executor> this_executor();

// Waits; cancelled when the task is cancelled.
Task<Result<void>> sleep_for(std::chrono::nanoseconds time);

}  // namespace holdfast
