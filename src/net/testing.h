// For tests: a task run on a runtime's own thread, so that what it leaves behind (pooled
// connections) lives on.
#pragma once

#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "net/runtime.h"

namespace holdfast {

template <class T>
T run_on(Runtime& runtime, Task<T> task) {
  runtime.start();
  return boost::asio::co_spawn(runtime.executor(0), std::move(task), boost::asio::use_future).get();
}

}  // namespace holdfast
