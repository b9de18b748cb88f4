#include "inference/statistics.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace holdfast::inference {
namespace {

TEST(Statistics, NothingIsLostAmongThreads) {
  Statistics statistics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {  // more than there are parts
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        statistics.succeeded({.request = 60'000, .queue = 10'000, .infer = 30'000});
        statistics.failed(Failure::backend, 5);
        statistics.executed(n % 2 == 0 ? 1 : 3, 7);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Totals totals = statistics.read();
  EXPECT_EQ(totals.successes, 12'000u);
  EXPECT_EQ(totals.success_ns, 12'000u * 60'000);
  EXPECT_EQ(totals.queue_ns, 12'000u * 10'000);
  EXPECT_EQ(totals.infer_ns, 12'000u * 30'000);
  EXPECT_EQ(totals.failed(), 12'000u);
  EXPECT_EQ(totals.failures[static_cast<size_t>(Failure::backend)], 12'000u);
  EXPECT_EQ(totals.executions, 12'000u);
  EXPECT_EQ(totals.batches[1].runs, 6'000u);
  EXPECT_EQ(totals.batches[3].runs, 6'000u);
  EXPECT_EQ(totals.batches[3].ns, 42'000u);
  EXPECT_EQ(totals.request[2], 12'000u);  // over 50 µs, up to 100
  EXPECT_EQ(totals.queue[0], 12'000u);
}

TEST(Statistics, ABoundBelongsToItsBucket) {
  Statistics statistics;
  for (int64_t ns : {25'000, 25'001}) statistics.succeeded({.request = ns});
  statistics.succeeded({.request = 60'000'000'000});
  const Totals totals = statistics.read();
  EXPECT_EQ(totals.request[0], 1u);
  EXPECT_EQ(totals.request[1], 1u);
  EXPECT_EQ(totals.request.back(), 1u);
}

TEST(Statistics, MoreThanTheMostMergedIsCountedAsIt) {
  Statistics statistics;
  statistics.executed(1000, 9);
  EXPECT_EQ(statistics.read().batches[kMostMerged].runs, 1u);
}

}  // namespace
}  // namespace holdfast::inference
