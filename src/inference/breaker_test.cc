#include "inference/breaker.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace holdfast::inference {
namespace {

using std::chrono::milliseconds;
using Pass = Breaker::Pass;

class BreakerTest : public ::testing::Test {
 protected:
  BreakerTest() {
    breaker_.configure({.failures = 3, .backoff = milliseconds(100), .longest = milliseconds(350)});
  }
  bool fail() { return breaker_.failed(breaker_.admit(now_), now_, "broken"); }
  void open() {
    for (int i = 0; i < 3; ++i) fail();
  }
  Breaker breaker_;
  MonoTime now_{std::chrono::hours(1)};
};

TEST_F(BreakerTest, OnlyFailuresInARowOpenIt) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(fail());
    EXPECT_FALSE(fail());
    breaker_.succeeded(breaker_.admit(now_));
  }
  EXPECT_FALSE(fail());
  breaker_.undecided(breaker_.admit(now_));  // a request's own values say nothing
  EXPECT_FALSE(fail());
  EXPECT_EQ(breaker_.reason(), "");
  EXPECT_TRUE(fail()) << "told once";
  EXPECT_EQ(breaker_.admit(now_), Pass::refused);
  EXPECT_EQ(breaker_.reason(), "its runs failed 3 times in a row: broken");
  EXPECT_EQ(breaker_.times_opened(), 1U);
}

TEST_F(BreakerTest, OneRequestTriesWhenTheBackoffHasPassed) {
  open();
  now_ += milliseconds(99);
  EXPECT_EQ(breaker_.admit(now_), Pass::refused);
  now_ += milliseconds(1);
  EXPECT_EQ(breaker_.admit(now_), Pass::probe);
  EXPECT_EQ(breaker_.admit(now_), Pass::refused) << "one at a time";
  breaker_.undecided(Pass::probe);
  EXPECT_EQ(breaker_.admit(now_), Pass::probe) << "nothing was learned, so the next one tries";
  breaker_.succeeded(Pass::probe);
  EXPECT_EQ(breaker_.admit(now_), Pass::free);
  EXPECT_FALSE(fail()) << "it begins to count anew";
}

TEST_F(BreakerTest, TheBackoffDoublesUpToItsLongest) {
  open();
  for (const int wait : {100, 200, 350, 350}) {
    now_ += milliseconds(wait - 1);
    EXPECT_EQ(breaker_.admit(now_), Pass::refused) << wait;
    now_ += milliseconds(1);
    ASSERT_EQ(breaker_.admit(now_), Pass::probe) << wait;
    breaker_.failed(Pass::probe, now_, "still broken");
  }
  EXPECT_EQ(breaker_.reason(), "its runs failed 3 times in a row: still broken");
}

TEST_F(BreakerTest, RunsThatBeganBeforeItOpenedDoNotCloseIt) {
  const Pass early = breaker_.admit(now_);
  open();
  breaker_.succeeded(early);
  EXPECT_TRUE(breaker_.open());
  EXPECT_FALSE(breaker_.failed(early, now_ + milliseconds(50), "late"));
  EXPECT_EQ(breaker_.admit(now_ + milliseconds(100)), Pass::probe) << "nor make it wait longer";
}

TEST_F(BreakerTest, WithoutANumberItNeverOpens) {
  breaker_.configure({.failures = 0});
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(fail());
  EXPECT_EQ(breaker_.admit(now_), Pass::free);
}

TEST_F(BreakerTest, ManyThreadsGetOneProbe) {
  open();
  now_ += milliseconds(100);
  std::atomic<int> probes = 0;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) probes += breaker_.admit(now_) == Pass::probe ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(probes, 1);
}

}  // namespace
}  // namespace holdfast::inference
