#include "inference/trials.h"

#include <thread>

#include "inference/route.h"
#include "inference/testing.h"

namespace holdfast::inference {
namespace {

class TrialsTest : public RepositoryTest {
 protected:
  TrialsTest() {
    view_.name = "x";
    view_.shape = {1, 2};
    view_.data = std::as_bytes(std::span(kOnes));
  }
  Result<TrialPtr> start(const TrialSpec& spec) {
    return run_task(repository_->trials().start("m", spec));
  }
  // Version 1 is current, 2 staged.
  void two(int second = 2) {
    ASSERT_TRUE(put(1, fake_model(1)));
    MemorySource source(fake_model(second));
    ASSERT_TRUE(run_task(repository_->put("m", 2, source, 1 << 20, {.beside = true})));
    EXPECT_EQ(state(), "1:READY* 2:READY");
  }
  // The version that answered; each answer is that version's own.
  Result<int64_t> ask(int64_t version = 0) {
    const Inputs inputs = {view_};
    const std::vector<std::string> all;
    TRY(Route route, find_route(*repository_, "m", version));
    const LoadedPtr held = route.loaded;
    TRY(const Outputs outputs, run_task(run_routed(*repository_, route, inputs, all, {})));
    float value = 0;
    std::memcpy(&value, outputs.at(0).data.data(), sizeof value);
    EXPECT_EQ(value, static_cast<float>(factors_[static_cast<size_t>(route.loaded->version)]));
    return route.loaded->version;
  }
  // Runs of that version fail, or take long, from now on. Nothing else runs at the time.
  void change_runs(int64_t version, std::function<Result<void>()> how) {
    engine_.on_run = [this, version, how](const auto&) -> Result<void> {
      const auto loaded = repository_->find("m", version);
      if (!loaded || (*loaded)->running->longest_ns() == 0) return {};
      return how();
    };
  }
  void settled(const std::string& wanted) {
    while (state() != wanted) std::this_thread::yield();
  }
  static constexpr float kOnes[] = {1, 1};
  TensorView view_;
  std::vector<int> factors_ = {0, 1, 2, 3};
};

TEST_F(TrialsTest, AShareGoesToTheCandidateAndEveryoneIsAnsweredOnce) {
  two();
  ASSERT_TRUE(start({.version = 2, .share = 30}));
  int candidate = 0;
  for (int i = 0; i < 2000; ++i) candidate += *ask() == 2 ? 1 : 0;
  EXPECT_NEAR(candidate, 600, 5 * 21);
  const TrialReport report = repository_->trials().find("m")->report();
  EXPECT_EQ(report.candidate.requests, static_cast<uint64_t>(candidate));
  EXPECT_EQ(report.current.requests, static_cast<uint64_t>(2000 - candidate));
  EXPECT_EQ(*ask(1), 1);
  EXPECT_EQ(*ask(2), 2);
  EXPECT_EQ(repository_->trials().find("m")->report().candidate.requests,
            static_cast<uint64_t>(candidate))
      << "who names a version is no part of it";
  // A share of the callers at once.
  std::atomic<int> answers = 0;
  std::vector<std::thread> askers;
  askers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([&] {
      for (int k = 0; k < 200; ++k) answers += ask().has_value() ? 1 : 0;
    });
  }
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(answers, 800);
}

TEST_F(TrialsTest, AFailingCandidateCostsNobodyAnAnswerAndIsRefused) {
  two();
  change_runs(2, [] { return fail(Code::internal, "broken"); });
  ASSERT_TRUE(start({.version = 2, .share = 50, .min_requests = 20}));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(*ask(), 1);
  while (repository_->find("m", 2)) std::this_thread::yield();
  const TrialReport report = repository_->trials().find("m")->report();
  EXPECT_EQ(report.state, TrialState::rolled_back);
  EXPECT_EQ(report.reason, "circuit breaker: its runs failed 5 times in a row: broken");
  EXPECT_EQ(report.candidate.errors, 5U);
  settled("1:READY* 2:UNAVAILABLE(refused: " + report.reason + ")");
  EXPECT_EQ(start({.version = 2, .share = 1}).error().reason(), "held");
  EXPECT_EQ(run_task(repository_->activate("m", 2)).error().reason(), "held");
  engine_.on_run = nullptr;
  open();
  EXPECT_EQ(state(), "1:READY* 2:UNAVAILABLE(refused: " + report.reason + ")");
  ASSERT_TRUE(run_task(repository_->release("m", 2)));
  EXPECT_TRUE(start({.version = 2, .share = 1}));
}

TEST_F(TrialsTest, ErrorsInBetweenRollItBack) {
  two();
  int count = 0;
  change_runs(2, [&count]() -> Result<void> {
    if (++count % 3 == 0) return fail(Code::invalid_argument, "these values");
    return {};
  });
  ASSERT_TRUE(start({.version = 2, .share = 50, .min_requests = 20}));
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(ask());
  EXPECT_TRUE(repository_->trials().find("m")->report().reason.starts_with("errors: 3"));
  while (repository_->find("m", 2)) std::this_thread::yield();
}

TEST_F(TrialsTest, WhatBothRefuseIsNoneOfTheirErrors) {
  two();
  engine_.on_run = [](const auto&) { return fail(Code::invalid_argument, "these values"); };
  ASSERT_TRUE(start({.version = 2, .share = 50, .min_requests = 5}));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ask().error().code(), Code::invalid_argument);
  const TrialReport report = repository_->trials().find("m")->report();
  EXPECT_EQ(report.state, TrialState::running);
  EXPECT_EQ(report.candidate.errors + report.current.errors, 0U);
}

TEST_F(TrialsTest, ASlowCandidateIsRolledBack) {
  two();
  change_runs(2, []() -> Result<void> {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    while (std::chrono::steady_clock::now() < end) {
    }
    return {};
  });
  ASSERT_TRUE(start({.version = 2, .share = 50, .min_requests = 10}));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(ask());
  EXPECT_TRUE(repository_->trials().find("m")->report().reason.starts_with("latency: "));
  while (repository_->find("m", 2)) std::this_thread::yield();
}

TEST_F(TrialsTest, AShadowComparesAndAnswersNobody) {
  for (const int second : {1, 2}) {
    SCOPED_TRACE(second);
    factors_[2] = second;
    two(second);
    ASSERT_TRUE(start({.version = 2, .shadow = 100, .min_requests = 20}));
    const TrialPtr trial = repository_->trials().find("m");
    const auto seen = [&trial] {
      const TrialReport report = trial->report();
      return report.compared + report.dropped;
    };
    uint64_t asked = 0;
    for (; asked < 100 && trial->running(); ++asked) {
      EXPECT_EQ(*ask(), 1);
      while (trial->running() && seen() <= asked) std::this_thread::yield();
    }
    const TrialReport report = trial->report();
    EXPECT_EQ(report.candidate.errors, 0U);
    if (second == 1) {
      EXPECT_EQ(report.state, TrialState::running);
      EXPECT_EQ(report.compared, 100U);
      EXPECT_EQ(report.max_difference, 0);
    } else {  // [1,1] is [2,2] there: one class, other values
      EXPECT_EQ(report.disagreed, 0U);
      EXPECT_EQ(report.max_difference, 1);
      ASSERT_TRUE(run_task(repository_->trials().end("m", TrialState::aborted)));
      ASSERT_TRUE(start({.version = 2, .shadow = 100, .min_requests = 20, .compare_values = true}));
      const TrialPtr strict = repository_->trials().find("m");
      while (strict->running()) EXPECT_EQ(*ask(), 1);
      EXPECT_TRUE(strict->report().reason.starts_with("disagreement: 100 % of 20 answers"));
    }
    ASSERT_TRUE(run_task(repository_->remove_all("m")));
    open();
  }
}

// However slow the candidate is, shadows wait in a short queue and callers do not.
TEST_F(TrialsTest, AStuckShadowDelaysNobody) {
  two();
  std::atomic<bool> go = false;
  change_runs(2, [&go]() -> Result<void> {
    while (!go) std::this_thread::yield();
    return {};
  });
  // Its warm-up is over, so the first run that hangs is a shadow's.
  ASSERT_TRUE(start({.version = 2, .shadow = 100}));
  const TrialPtr trial = repository_->trials().find("m");
  while (trial->report().dropped < 50) {
    const auto loaded = *repository_->find("m");
    EXPECT_TRUE(loaded);
    const Inputs inputs = {view_};
    const Outputs outputs = {
        Tensor{.name = "y", .shape = {1, 2}, .data = RawBytes(8, std::byte{0})}};
    if (!repository_->trials().shadow().submit(trial, *repository_->find("m", 2), true, inputs, {},
                                               outputs, {}))
      trial->dropped();
  }
  EXPECT_EQ(trial->report().compared, 0U);
  go = true;
  while (trial->report().compared < 64) std::this_thread::yield();
}

TEST_F(TrialsTest, ItIsPromotedByItself) {
  two();
  ASSERT_TRUE(start({.version = 2, .share = 50, .min_requests = 10, .promote_after = 40}));
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(ask());
  settled("1:READY 2:READY*");
  EXPECT_EQ(repository_->trials().find("m")->report().state, TrialState::promoted);
  EXPECT_EQ(*ask(), 2);
  while (repository_->lives().of("m").trial) std::this_thread::yield();
  open();
  EXPECT_EQ(state(), "2:READY*");
}

TEST_F(TrialsTest, ARestartGoesOnWithIt) {
  two();
  ASSERT_TRUE(start({.version = 2, .share = 100}));
  EXPECT_EQ(start({.version = 2, .share = 1}).error().code(), Code::conflict);
  open();
  EXPECT_EQ(state(), "1:READY* 2:READY");
  EXPECT_EQ(*ask(), 2);
  EXPECT_EQ(repository_->trials().find("m")->report().candidate.requests, 1U);
  ASSERT_TRUE(run_task(repository_->trials().end("m", TrialState::aborted)));
  EXPECT_EQ(*ask(), 1);
  EXPECT_EQ(run_task(repository_->trials().end("m", TrialState::aborted)).error().code(),
            Code::conflict);
  open();
  EXPECT_EQ(state(), "1:READY*") << "a staged version does not take over by a restart";
  EXPECT_EQ(repository_->trials().find("m"), nullptr);
}

TEST_F(TrialsTest, AnotherCurrentVersionEndsIt) {
  two();
  ASSERT_TRUE(start({.version = 2, .share = 100}));
  ASSERT_TRUE(put(3, fake_model(3)));
  EXPECT_EQ(*ask(), 3);
  const TrialPtr trial = repository_->trials().find("m");
  EXPECT_EQ(trial->report().state, TrialState::aborted);
  EXPECT_EQ(trial->report().reason, "version 3 has become current");
  while (repository_->lives().of("m").trial) std::this_thread::yield();
  ASSERT_TRUE(start({.version = 2, .share = 100}));
  ASSERT_TRUE(run_task(repository_->activate("m", 2)));
  EXPECT_EQ(*ask(), 2);
  EXPECT_EQ(repository_->trials().find("m")->report().state, TrialState::promoted);
  while (repository_->lives().of("m").trial) std::this_thread::yield();
}

TEST_F(TrialsTest, ALoadOfTheModelDoesNotPromote) {
  two();
  ASSERT_TRUE(start({.version = 2, .share = 100}));
  ASSERT_TRUE(run_task(repository_->unload("m")));
  EXPECT_EQ(ask().error().code(), Code::unavailable);
  ASSERT_TRUE(run_task(repository_->load("m")));
  EXPECT_EQ(state(), "1:READY*");
  EXPECT_EQ(*ask(), 1) << "the candidate is not in memory";
  open();
  EXPECT_EQ(state(), "1:READY* 2:READY");
  EXPECT_EQ(*ask(), 2);
}

TEST_F(TrialsTest, OnlyWhatCanTakeItsPlaceIsTried) {
  EXPECT_EQ(start({.version = 2, .share = 1}).error().code(), Code::not_found);
  ASSERT_TRUE(put(1, fake_model(1)));
  EXPECT_EQ(start({.version = 2, .share = 1}).error().code(), Code::not_found);
  EXPECT_EQ(start({.version = 1, .share = 1}).error().code(), Code::conflict);
  EXPECT_EQ(start({.version = 2}).error().code(), Code::invalid_argument);
  MemorySource wide(fake_model(2, "input x FP32 -1,3\noutput y FP32 -1,3\n"));
  ASSERT_TRUE(run_task(repository_->put("m", 2, wide, 1 << 20, {.beside = true})));
  EXPECT_EQ(start({.version = 2, .share = 1}).error().code(), Code::invalid_argument);
  EXPECT_EQ(*ask(), 1);
}

class TrialsInABudgetTest : public TrialsTest {
 protected:
  static constexpr uint64_t kSize = 100'000;  // of a model's file: what it is charged with
  static std::string sized(int factor) {
    std::string text = fake_model(factor);
    text.resize(kSize, '\n');
    return text;
  }
  // Versions 1, current, and 2 in a budget for `models` of them.
  void two_in(double models, std::vector<std::string> pinned = {}) {
    repository_.reset();
    const auto bytes = static_cast<uint64_t>(models * kSize);
    repository_ = std::move(*Repository::open(folder_, engine_, {}, {bytes, std::move(pinned)}));
    ASSERT_TRUE(put(1, sized(1)));
    MemorySource source(sized(2));
    ASSERT_TRUE(run_task(repository_->put("m", 2, source, 1 << 20, {.beside = true})));
  }
  // The version that answers, loading what is evicted, as every door does.
  int64_t demand() {
    const auto route = run_task(route_to(*repository_, "m", 0));
    EXPECT_TRUE(route) << route.error().message();
    EXPECT_EQ(route->named, false);
    return route ? route->loaded->version : 0;
  }
  std::string evicted() {
    std::string out;
    for (const Entry& entry : repository_->list())
      if (entry.reason == kEvictedReason) out += entry.name + std::to_string(entry.version);
    return out;
  }
};

TEST_F(TrialsInABudgetTest, ACandidateThatMadeRoomComesBackWithItsNextRequest) {
  two_in(2.5);
  ASSERT_TRUE(start({.version = 2, .share = 50}));
  ASSERT_TRUE(put(1, sized(9), "x"));
  EXPECT_EQ(evicted(), "m2");  // before the version that it is tried beside
  while (demand() != 2) {
  }
  EXPECT_EQ(evicted(), "x1");
  int candidate = 0;
  for (int i = 0; i < 200; ++i) candidate += demand() == 2 ? 1 : 0;
  EXPECT_NEAR(candidate, 100, 50);
  EXPECT_EQ(evicted(), "x1");
  ASSERT_TRUE(run_task(repository_->acquire("x")));
  EXPECT_EQ(evicted(), "m2");
}

TEST_F(TrialsInABudgetTest, ACandidateIsAsMuchInUseAsItsCurrentVersion) {
  two_in(3.5);
  ASSERT_TRUE(put(1, sized(9), "x"));
  ASSERT_TRUE(start({.version = 2, .shadow = 1}));
  (*repository_->find("m", 1))->statistics.last_ms = 1ull << 50;
  ASSERT_TRUE(put(1, sized(8), "y"));
  EXPECT_EQ(evicted(), "x1");
}

TEST_F(TrialsInABudgetTest, AShadowedCandidateComesBackToo) {
  two_in(2.5);
  ASSERT_TRUE(start({.version = 2, .shadow = 1}));
  ASSERT_TRUE(put(1, sized(9), "x"));
  EXPECT_EQ(evicted(), "m2");
  EXPECT_EQ(demand(), 1);
  EXPECT_EQ(evicted(), "x1");
}

TEST_F(TrialsInABudgetTest, WithoutRoomTheTrialWaitsAndTheCurrentVersionAnswers) {
  two_in(2.5, {"x"});
  ASSERT_TRUE(start({.version = 2, .share = 50}));
  ASSERT_TRUE(put(1, sized(9), "x"));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(demand(), 1);
  EXPECT_EQ(evicted(), "m2");
  ASSERT_TRUE(run_task(repository_->unload("x")));
  while (demand() != 2) {
  }
}

TEST_F(TrialsInABudgetTest, TheBudgetMustHoldBoth) {
  two_in(1.5);
  const auto refused = start({.version = 2, .share = 50});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason(), "no_memory");
  EXPECT_EQ(repository_->trials().find("m"), nullptr);
  EXPECT_EQ(demand(), 1);
}

}  // namespace
}  // namespace holdfast::inference
