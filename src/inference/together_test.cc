#include "inference/together.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <latch>
#include <random>

#include "inference/scheduler_testing.h"

namespace holdfast::inference {
namespace {

constexpr int64_t kQuick = 1'000'000'000;

// Requests that one thread finds ready, one after the other.
struct Ready : ::testing::Test {
  Served served;
  Scheduler scheduler{{.lanes = 1}};
  std::atomic<int> runs{0}, wrong{0}, alone{0};
  Runtime runtime{1};

  void SetUp() override {
    served.model->before = [this](const std::vector<float>& values) -> Result<void> {
      ++runs;
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
      while (std::chrono::steady_clock::now() < until) continue;  // whatever the rows: merging pays
      for (const float value : values) {
        if (value < 0) return fail(Code::invalid_argument, "no negative values");
      }
      return {};
    };
    for (const uint64_t rows : {1, 2, 4, 8, 16}) served.loaded.queue.curve.learn(rows, 20'000);
    served.loaded.queue.proofs = 2;
    runtime.start();
  }
  void ask(const std::vector<float>& values, const std::vector<std::string>& outputs = {}) {
    TensorView view;
    view.name = "x";
    view.shape = {static_cast<int64_t>(values.size() / 2), 2};
    view.data = std::as_bytes(std::span(values));
    const Inputs inputs = {view};
    const RunOptions options;
    Waiting waiting(served.loaded, inputs, outputs, options);
    if (!run_with_ready(scheduler, waiting, kQuick)) {
      ++alone;
      waiting.outcome.answer = served.model->run(inputs, outputs);
    }
    const bool refused = std::ranges::any_of(values, [](float value) { return value < 0; });
    std::vector<float> expected = values;
    for (float& value : expected) value *= 3;
    if (waiting.outcome.answer.has_value() == refused) ++wrong;
    if (!refused && (!waiting.outcome.answer || values_of(waiting.outcome) != expected)) ++wrong;
  }
  // All are ready before the first of them is run.
  void ask_all(const std::vector<std::vector<float>>& each,
               const std::vector<std::vector<std::string>>& outputs = {}) {
    std::latch done(std::ssize(each));
    const Executor executor = runtime.executor(0);
    boost::asio::post(executor, [&, executor] {
      for (size_t i = 0; i < each.size(); ++i) {
        boost::asio::post(executor, [&, i] {
          ask(each[i], outputs.empty() ? std::vector<std::string>() : outputs[i]);
          done.count_down();
        });
      }
    });
    done.wait();
  }
};

TEST_F(Ready, AreOneRun) {
  ask_all({{1, 2}, {3, 4}, {5, 6, 7, 8}, {9, 10}});
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(alone, 0);
}

TEST_F(Ready, OneByItselfDoesNotLookForever) {
  for (int i = 0; i < 200; ++i) ask_all({{1, 2}});
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(runs, 200);
  EXPECT_GT(alone, 180) << "who looked in vain looks seldom";
  for (int i = 0; i < 100; ++i) ask_all({{1, 2}, {3, 4}});
  alone = 0;
  ask_all({{1, 2}, {3, 4}});
  EXPECT_EQ(alone, 0) << "and finds company again";
}

TEST_F(Ready, OfAnotherKindAreRunByThemselves) {
  ask_all({{1, 2}, {3, 4}, {5, 6}}, {{"y"}, {}, {"y"}});
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(alone, 1);
}

TEST_F(Ready, OneRequestsRefusalIsNotAnothers) {
  ask_all({{1, 2}, {-3, 4}, {5, 6}});
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(runs, 4) << "together, then each";
}

TEST_F(Ready, RowsThatDependOnEachOtherAreRunAlone) {
  served.loaded.queue.proofs = 0;
  served.model->mix = true;
  ask_all({{1, 2}, {3, 4}});
  EXPECT_TRUE(served.loaded.queue.refused);
  runs = 0;
  ask_all({{1, 2}, {3, 4}});
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(alone, 2);
}

TEST_F(Ready, AThreadThatRunsNothingElseFindsNone) {
  ask({1, 2});
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(wrong, 0);
}

TEST_F(Ready, EachGetsItsRowsWhateverTheOthersAre) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::vector<float>> each(1 + random() % 40);
    for (auto& values : each) {
      values.resize(2 * (1 + random() % 5));
      for (float& value : values) value = static_cast<float>(random() % 1'000'000);
      if (random() % 50 == 0) values[0] = -1;
    }
    ask_all(each);
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace holdfast::inference
