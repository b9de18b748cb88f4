#include "net/work_ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

namespace holdfast {
namespace {

struct WorkAheadTest : testing::Test {
  // Nothing ends before the gate is open.
  std::function<Result<void>()> number(int value, bool good = true) {
    return [this, value, good]() -> Result<void> {
      gate.wait(false);
      done.push_back(value);
      if (!good) return fail(Code::unavailable, "number " + std::to_string(value));
      return {};
    };
  }
  void open() {
    gate = true;
    gate.notify_all();
  }

  std::atomic<bool> gate{false};
  std::vector<int> done;  // of one thread at a time, and read once nothing is left
  BlockingPool pool{"work", 2};
};

TEST_F(WorkAheadTest, OnePieceAfterTheOther) {
  WorkAhead ahead;
  for (int i = 0; i < 30; ++i) ahead.start(pool, number(i));
  EXPECT_EQ(ahead.left(), 30u);
  EXPECT_TRUE(run_task(ahead.wait(30)));
  open();
  EXPECT_TRUE(run_task(ahead.wait(3)));
  EXPECT_LE(ahead.left(), 3u);
  EXPECT_TRUE(run_task(ahead.wait()));
  ASSERT_EQ(done.size(), 30u);
  EXPECT_TRUE(std::ranges::is_sorted(done));
}

TEST_F(WorkAheadTest, NothingRunsBehindAFailure) {
  WorkAhead ahead;
  ahead.start(pool, number(1));
  ahead.start(pool, number(2, false));
  ahead.start(pool, number(3));
  open();
  for (int i = 0; i < 2; ++i) {
    const auto outcome = run_task(ahead.wait());
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().message(), "number 2");
    ahead.start(pool, number(4));
  }
  EXPECT_EQ(done, (std::vector<int>{1, 2}));
}

TEST_F(WorkAheadTest, WhatHasNotBegunIsDroppedWithIt) {
  std::shared_ptr<int> held = std::make_shared<int>(0);
  {
    WorkAhead ahead;
    ahead.start(pool, number(1));
    ahead.start(pool, [held]() -> Result<void> { return {}; });
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
  open();
}

}  // namespace
}  // namespace holdfast
