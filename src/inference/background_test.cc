#include "inference/background.h"

#include <gtest/gtest.h>

#include <latch>

namespace holdfast::inference {
namespace {

using namespace std::chrono_literals;
using Batches = std::vector<std::vector<int>>;

uint64_t own_value(const int& item) {
  return static_cast<uint64_t>(item);
}
bool offer(Background<int>& queue, int item) {
  return queue.offer([item] { return item; });
}

TEST(Background, TakesInUntilTheMostIsHere) {
  Background<int> queue({.weigh = own_value, .most = 10, .due = 50}, [&] { (void)queue.take(); });
  EXPECT_TRUE(offer(queue, 9));
  EXPECT_TRUE(offer(queue, 9)) << "less than the most is here, whatever it weighs";
  bool called = false;
  EXPECT_FALSE(queue.offer([&called] {
    called = true;
    return 1;
  }));
  EXPECT_FALSE(called) << "nothing is made that finds no room";
  EXPECT_EQ(queue.dropped(), 1U);
}

TEST(Background, TakesInSoManyItems) {
  Background<int> queue({.weigh = own_value, .most = 10, .items = 2, .due = 50},
                        [&] { (void)queue.take(); });
  EXPECT_TRUE(offer(queue, 0) && offer(queue, 0));
  EXPECT_FALSE(offer(queue, 0));
}

TEST(Background, WhatIsWorkedOnIsHereStill) {
  std::latch taken{1}, go_on{1};
  Background<int> queue({.weigh = own_value, .most = 10}, [&] {
    while (queue.take()) {
      taken.count_down();
      go_on.wait();
    }
  });
  EXPECT_TRUE(offer(queue, 10));
  taken.wait();
  EXPECT_FALSE(offer(queue, 0));
  go_on.count_down();
  while (!offer(queue, 0)) std::this_thread::yield();
}

TEST(Background, NothingIsNoItemAndAnExceptionADroppedOne) {
  Background<int> queue({.weigh = own_value, .most = 10}, [] { FAIL() << "there is no item"; });
  EXPECT_TRUE(queue.offer([] { return std::optional<int>(); }));
  EXPECT_EQ(queue.dropped(), 0U);
  EXPECT_FALSE(queue.offer([]() -> int { throw std::bad_alloc(); }));
  EXPECT_EQ(queue.dropped(), 1U);
}

TEST(Background, GivesBatchesAndAtTheEndWhatWaits) {
  Batches batches;
  {
    Background<int> queue({.weigh = own_value, .most = 100, .due = 50, .batch = 5}, [&] {
      while (const auto taken = queue.take()) batches.push_back(*taken);
    });
    for (const int item : {3, 1, 2, 7, 1}) EXPECT_TRUE(offer(queue, item));
  }
  EXPECT_EQ(batches, (Batches{{3, 1, 2}, {7}, {1}}));
}

TEST(Background, GivesNothingBeforeEnoughIsThere) {
  Batches batches;
  for (int i = 0; i < 20; ++i) {
    Background<int> queue({.weigh = own_value, .most = 100, .due = 50}, [&] {
      while (const auto taken = queue.take()) batches.push_back(*taken);
    });
    EXPECT_TRUE(offer(queue, 1));
    for (int turn = 0; turn < 5; ++turn) std::this_thread::yield();
    EXPECT_TRUE(offer(queue, 49));
  }
  EXPECT_EQ(batches, Batches(20, {1, 49}));
}

TEST(Background, DropsAtTheEndWhereItIsToldTo) {
  Batches batches;
  {
    Background<int> queue({.weigh = own_value, .most = 100, .due = 50, .drops = true}, [&] {
      while (const auto taken = queue.take()) batches.push_back(*taken);
    });
    EXPECT_TRUE(offer(queue, 1));
  }
  EXPECT_TRUE(batches.empty());
}

TEST(Background, GivesWhatIsThereWhenItsTimeHasCome) {
  std::latch came{1};
  Background<int> queue({.weigh = own_value, .most = 100, .due = 50, .every = 1ms}, [&] {
    while (const auto taken = queue.take()) {
      if (taken->empty()) continue;
      EXPECT_EQ(*taken, std::vector<int>{1});
      came.count_down();
    }
  });
  EXPECT_TRUE(offer(queue, 1));
  came.wait();
}

TEST(Background, AnEndEndsAPause) {
  std::latch begun{1};
  bool ended = false;
  {
    Background<int> queue({.weigh = own_value, .most = 1}, [&] {
      EXPECT_FALSE(queue.ending());
      begun.count_down();
      ended = queue.pause(1h);
    });
    queue.start();
    begun.wait();
  }
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace holdfast::inference
