#include "inference/route.h"

#include <thread>

#include "inference/testing.h"

namespace holdfast::inference {
namespace {

using std::chrono::milliseconds;

class RouteTest : public RepositoryTest {
 protected:
  RouteTest() {
    view_.name = "x";
    view_.shape = {1, 2};
    view_.data = std::as_bytes(std::span(kOnes));
    reopen({.failures = 3, .backoff = milliseconds(1)});
  }
  void reopen(const BreakerOptions& breaker) {
    repository_.reset();
    Care care;
    care.breaker = breaker;
    repository_ = std::move(*Repository::open(folder_, engine_, {}, {}, care));
  }
  // The factor that answered.
  Result<float> ask(int64_t version = 0, const RunOptions& options = {}) {
    const Inputs inputs = {view_};
    const std::vector<std::string> all;
    TRY(Route route, find_route(*repository_, "m", version));
    TRY(const Outputs outputs, run_task(run_routed(*repository_, route, inputs, all, options)));
    float value = 0;
    std::memcpy(&value, outputs.at(0).data.data(), sizeof value);
    EXPECT_EQ(value, static_cast<float>(route.loaded->version)) << "it names who answered";
    return value;
  }
  // Runs of the version whose answer is `factor` fail from now on, none with 0.
  void break_runs(Code code = Code::internal) {
    engine_.on_run = [this, code](const auto&) -> Result<void> {
      if (broken_) return fail(code, "broken");
      return {};
    };
  }
  static constexpr float kOnes[] = {1, 1};
  TensorView view_;
  std::atomic<bool> broken_{false};
};

TEST_F(RouteTest, AModelThatFailsIsRefusedAtOnceAndComesBack) {
  break_runs();
  ASSERT_TRUE(put(1, fake_model(1)));
  reopen({.failures = 3, .backoff = std::chrono::hours(1)});
  broken_ = true;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask().error().code(), Code::internal);
  const int runs = engine_.runs();
  const auto refused = ask();
  EXPECT_EQ(refused.error().code(), Code::unavailable);
  EXPECT_EQ(refused.error().reason(), kBreakerReason);
  EXPECT_EQ(refused.error().message(),
            "version 1 of the model 'm' is not run for now: its runs failed 3 times in a row: "
            "broken");
  EXPECT_EQ(engine_.runs(), runs);
  EXPECT_EQ(state(), "1:READY*(its runs failed 3 times in a row: broken)");

  reopen({.failures = 3, .backoff = milliseconds(1), .longest = milliseconds(1)});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(ask());
  broken_ = false;
  while (!ask()) std::this_thread::yield();  // until a probe goes through
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(ask());
  EXPECT_EQ(state(), "1:READY*");
}

TEST_F(RouteTest, WhatARequestsValuesBringAboutOpensNothing) {
  break_runs(Code::invalid_argument);
  ASSERT_TRUE(put(1, fake_model(1)));
  broken_ = true;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask().error().code(), Code::invalid_argument);
  broken_ = false;
  EXPECT_TRUE(ask());
}

TEST_F(RouteTest, RunsThatTakeTooLongCountAsFailed) {
  ASSERT_TRUE(put(1, fake_model(1)));
  reopen({.failures = 3, .backoff = std::chrono::hours(1), .timeout = milliseconds(1)});
  engine_.on_run = [](const auto&) -> Result<void> {
    const auto end = std::chrono::steady_clock::now() + milliseconds(3);
    while (std::chrono::steady_clock::now() < end) {
    }
    return {};
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ask()) << "a late answer is one";
  EXPECT_EQ(ask().error().reason(), kBreakerReason);
}

// One run that never ends takes a lane; others wait behind it until their deadlines.
TEST_F(RouteTest, ARunThatDoesNotEndOpensIt) {
  ASSERT_TRUE(put(1, fake_model(1)));
  repository_.reset();
  Care care;
  care.breaker = {.failures = 2, .backoff = std::chrono::hours(1), .timeout = milliseconds(5)};
  repository_ = std::move(*Repository::open(folder_, engine_, {.lanes = 1}, {}, care));
  std::atomic<bool> go = false, inside = false;
  engine_.on_run = [&](const auto&) -> Result<void> {
    inside = true;
    while (!go) std::this_thread::yield();
    return {};
  };
  (*repository_->find("m"))->p99_ns = INT64_MAX / 2;
  std::thread stuck([this] { EXPECT_TRUE(ask()); });
  while (!inside) std::this_thread::yield();
  RunOptions soon;
  bool refused = false;
  while (!refused) {
    soon.deadline = std::chrono::steady_clock::now() + milliseconds(2);
    refused = ask(0, soon).error().reason() == kBreakerReason;
  }
  EXPECT_NE((*repository_->find("m"))->breaker.reason().find("does not end"), std::string::npos);
  go = true;
  stuck.join();
}

TEST_F(RouteTest, WhereItIsWantedTheOtherVersionAnswers) {
  for (int version : {1, 2}) ASSERT_TRUE(put(version, fake_model(version)));
  reopen({.failures = 3, .backoff = std::chrono::hours(1), .fall_back = true});
  ASSERT_TRUE(run_task(repository_->load("m", 1)));
  // Runs on the current version's thread of control alone fail.
  const Loaded* current = repository_->find("m")->get();
  engine_.on_run = [&](const auto&) -> Result<void> {
    if (current->running->longest_ns() > 0) return fail(Code::internal, "broken");
    return {};
  };
  for (int i = 0; i < 10; ++i) EXPECT_EQ(*ask(), 1) << "nobody sees an error";
  EXPECT_TRUE(current->breaker.open());
  EXPECT_EQ(current->statistics.read().failures[static_cast<size_t>(Failure::backend)], 3U);
  EXPECT_EQ(ask(2).error().reason(), kBreakerReason) << "who names a version means it";
}

TEST_F(RouteTest, AnotherSignatureDoesNotAnswer) {
  ASSERT_TRUE(put(1, fake_model(1, "input x FP32 -1,3\noutput y FP32 -1,3\n")));
  ASSERT_TRUE(put(2, fake_model(2)));
  EXPECT_EQ(repository_->other_than(**repository_->find("m")), nullptr);
  ASSERT_TRUE(put(3, fake_model(3)));
  EXPECT_EQ(repository_->other_than(**repository_->find("m"))->version, 2);
}

}  // namespace
}  // namespace holdfast::inference
