#include "net/runtime.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "net/task_group.h"

namespace holdfast {
namespace {

using namespace std::chrono_literals;

Task<std::thread::id> where() {
  co_return std::this_thread::get_id();
}

TEST(BlockingPool, RunsElsewhereAndComesBack) {
  BlockingPool pool("pool", 1);
  const auto check = [](BlockingPool& on) -> Task<bool> {
    const auto before = std::this_thread::get_id();
    auto inside = []() { return std::this_thread::get_id(); };
    const auto other = co_await on.run(inside);
    co_return before == std::this_thread::get_id() && other != before;
  };
  EXPECT_TRUE(run_task(check(pool)));
}

TEST(BlockingPool, CarriesExceptionsAndVoid) {
  BlockingPool pool("pool", 1);
  const auto check = [](BlockingPool& on) -> Task<int> {
    auto nothing = []() {};
    co_await on.run(nothing);
    auto bad = []() -> int { throw std::runtime_error("x"); };
    co_return co_await on.run(bad);
  };
  EXPECT_THROW(run_task(check(pool)), std::runtime_error);
}

Task<void> wait_long(std::atomic<int>& ended, bool& cancelled) {
  const auto slept = co_await sleep_for(1h);
  cancelled = !slept && slept.error().code() == Code::cancelled;
  ++ended;
}

TEST(TaskGroup, CancelEndsWaitsAndJoinReturns) {
  Runtime runtime(2);
  runtime.start();
  TaskGroup group;
  std::atomic<int> ended{0};
  bool cancelled[4] = {};
  for (auto& flag : cancelled)
    group.spawn(runtime.next_executor(), "waits", wait_long(ended, flag));
  EXPECT_EQ(group.size(), 4u);
  group.cancel();
  run_task(group.join());
  EXPECT_EQ(ended, 4);
  for (bool flag : cancelled) EXPECT_TRUE(flag);
  bool late = false;
  group.spawn(runtime.next_executor(), "late", wait_long(ended, late));
  EXPECT_EQ(group.size(), 0u);
}

Task<void> throws() {
  throw std::runtime_error("a bug");
  co_return;
}

TEST(TaskGroup, AnExceptionEndsOnlyItsTask) {
  Runtime runtime(1);
  runtime.start();
  TaskGroup group;
  group.spawn(runtime.executor(0), "throws", throws());
  run_task(group.join());
  EXPECT_EQ(group.size(), 0u);
}

TEST(Runtime, StopEndsWait) {
  Runtime runtime(1);
  std::thread stopper([&] { runtime.stop(); });
  EXPECT_EQ(runtime.wait(), 0);
  stopper.join();
  EXPECT_NE(run_task(where()), std::thread::id());
}

}  // namespace
}  // namespace holdfast
