#include "inference/stages.h"

#include <gtest/gtest.h>

namespace holdfast::inference {
namespace {

TEST(Stages, AddUpToTheWhole) {
  RunReport report;
  const MonoTime start = std::chrono::steady_clock::now() - std::chrono::milliseconds(50);
  report.begun = start + std::chrono::milliseconds(10);
  report.timing = {.request = 30'000'000,
                   .queue = 5'000'000,
                   .input = 1'000'000,
                   .infer = 22'000'000,
                   .output = 2'000'000};
  const Stages stages = stages_until_now(report, start);
  int64_t sum = 0;
  for (const auto& [name, us] : stages) sum += name == "total" ? 0 : us;
  EXPECT_EQ(stages[0], (std::pair<std::string_view, int64_t>("receive", 10'000)));
  EXPECT_EQ(stages[3].second, 22'000);
  EXPECT_GE(stages[4].second, 12'000) << "all that came after the engine";
  EXPECT_GE(stages[5].second, 50'000);
  EXPECT_NEAR(static_cast<double>(sum), static_cast<double>(stages[5].second), 6);
}

TEST(Stages, AreMillisecondsInTheHeader) {
  const Stages stages{{{"receive", 1500}, {"queue", 7}}};
  EXPECT_TRUE(server_timing(stages).starts_with("receive;dur=1.500, queue;dur=0.007"));
}

}  // namespace
}  // namespace holdfast::inference
