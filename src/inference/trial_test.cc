#include "inference/trial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "inference/trial_json.h"

namespace holdfast::inference {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

class TrialTest : public ::testing::Test {
 protected:
  Trial make(const TrialSpec& spec, uint64_t seed = 1) const { return {spec, 1, seed, start_, 0}; }
  std::string verdict(const Trial& trial, MonoTime now) {
    const auto got = trial.verdict(now);
    return got ? std::string(to_string(got->state)) + ": " + got->reason : "";
  }
  std::string verdict(const Trial& trial) { return verdict(trial, start_); }
  static TrialSpec spec() { return {.version = 2, .share = 50, .min_requests = 20}; }
  static void many(Trial& trial, bool candidate, int count, int64_t ns = kMillisecond) {
    for (int i = 0; i < count; ++i) trial.succeeded(candidate, ns);
  }
  MonoTime start_{std::chrono::hours(1)};
};

// Five standard deviations of a binomial: a wrong share is found, a right one passes.
TEST_F(TrialTest, TheSharesAreAsAsked) {
  constexpr int kCount = 20'000;
  for (const double share : {0.0, 0.5, 10.0, 33.3, 90.0, 100.0}) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      TrialSpec some = spec();
      some.share = share;
      Trial trial = make(some, seed);
      int picked = 0, streak = 0, longest = 0;
      for (int i = 0; i < kCount; ++i) {
        const bool is = trial.picks_candidate();
        picked += is ? 1 : 0;
        streak = is ? streak + 1 : 0;
        longest = std::max(longest, streak);
      }
      const double p = share / 100, bound = 5 * std::sqrt(kCount * p * (1 - p));
      EXPECT_NEAR(picked, kCount * p, bound) << share << " seed " << seed;
      if (share == 10.0) EXPECT_LE(longest, 10);
    }
  }
}

TEST_F(TrialTest, ErrorsRollItBackOverTheCurrentOnes) {
  Trial trial = make(spec());
  many(trial, false, 100);
  many(trial, true, 18);
  trial.failed(true);
  EXPECT_EQ(verdict(trial), "") << "not judged before its number of requests";
  trial.failed(true);
  EXPECT_EQ(verdict(trial),
            "rolled_back: errors: 10 % of its 20 requests failed, 0 % of the current version's");
  for (int i = 0; i < 11; ++i) trial.failed(false);
  EXPECT_EQ(verdict(trial), "") << "the current one fails as often";
}

TEST_F(TrialTest, LatencyRollsItBack) {
  Trial trial = make(spec());
  many(trial, false, 100, 2 * kMillisecond);
  many(trial, true, 19, 8 * kMillisecond);
  EXPECT_EQ(verdict(trial), "");
  many(trial, true, 1, 8 * kMillisecond);
  EXPECT_TRUE(verdict(trial).starts_with("rolled_back: latency: its 95th percentile is"));

  Trial quick = make(spec());  // ten times as slow, and nobody feels it
  many(quick, false, 100, kMillisecond / 100);
  many(quick, true, 100, kMillisecond / 10);
  EXPECT_EQ(verdict(quick), "");

  TrialSpec unjudged = spec();
  unjudged.max_latency_ratio = 0;
  Trial slow = make(unjudged);
  many(slow, false, 100, kMillisecond);
  many(slow, true, 100, 100 * kMillisecond);
  EXPECT_EQ(verdict(slow), "");
}

TEST_F(TrialTest, ShadowsSayNothingOfTheLatency) {
  Trial trial = make(spec());
  many(trial, false, 100);
  many(trial, true, 100, 0);
  EXPECT_EQ(trial.report().candidate.p95_ns, 0);
  EXPECT_EQ(trial.report().candidate.requests, 100U);
}

TEST_F(TrialTest, DisagreementRollsItBack) {
  for (const bool values : {false, true}) {
    TrialSpec some = spec();
    some.compare_values = values;
    Trial trial = make(some);
    for (int i = 0; i < 100; ++i) trial.compared({.max_difference = .5});
    EXPECT_EQ(verdict(trial).empty(), !values);
    EXPECT_EQ(trial.report().max_difference, .5);
  }
  for (const Comparison& other : {Comparison{.other_form = true}, Comparison{.other_class = true},
                                  Comparison{.other_exact = true}, Comparison{.over = true}}) {
    Trial trial = make(spec());
    for (int i = 0; i < 19; ++i) trial.compared({});
    trial.compared(other);
    EXPECT_EQ(verdict(trial), "") << "one in twenty is allowed";
    trial.compared(other);
    EXPECT_EQ(verdict(trial),
              "rolled_back: disagreement: 9.52 % of 21 answers are others than the current "
              "version's");
  }
}

TEST_F(TrialTest, ItIsPromotedOnlyWhereThatIsAskedFor) {
  Trial never = make(spec());
  many(never, true, 100'000);
  EXPECT_EQ(verdict(never, start_ + std::chrono::hours(1000)), "");

  TrialSpec number = spec();
  number.promote_after = 50;
  Trial counted = make(number);
  many(counted, true, 49);
  EXPECT_EQ(verdict(counted), "");
  many(counted, true, 1);
  EXPECT_EQ(verdict(counted), "promoted: 50 good requests");

  TrialSpec time = spec();
  time.promote_time = std::chrono::hours(1);
  Trial waited = make(time);
  many(waited, true, 19);
  EXPECT_EQ(verdict(waited, start_ + std::chrono::hours(2)), "") << "too few requests";
  many(waited, true, 1);
  EXPECT_EQ(verdict(waited, start_ + std::chrono::minutes(59)), "");
  EXPECT_EQ(verdict(waited, start_ + std::chrono::hours(1)), "promoted: 20 good requests");
  for (int i = 0; i < 20; ++i) waited.failed(true);
  EXPECT_TRUE(verdict(waited, start_ + std::chrono::hours(1)).starts_with("rolled_back"));
}

TEST_F(TrialTest, ItEndsOnce) {
  Trial trial = make(spec());
  EXPECT_TRUE(trial.end(TrialState::aborted, "by hand"));
  EXPECT_FALSE(trial.end(TrialState::promoted, "late"));
  EXPECT_FALSE(trial.running());
  for (int i = 0; i < 100; ++i) trial.failed(true);
  EXPECT_EQ(verdict(trial), "");
  EXPECT_EQ(trial.report().reason, "by hand");
}

TEST(LatenciesTest, AQuantileIsWithinAnEighth) {
  EXPECT_EQ(Latencies().quantile(.95), 0);
  for (const int64_t ns : {int64_t{1}, int64_t{9}, int64_t{1000}, int64_t{1'234'567}, INT64_MAX}) {
    Latencies times;
    for (int i = 0; i < 10; ++i) times.add(ns);
    const auto got = static_cast<double>(static_cast<uint64_t>(times.quantile(.95)));
    EXPECT_GE(got, static_cast<double>(ns));
    EXPECT_LE(got, std::max(9.0, static_cast<double>(ns) * 1.126));
  }
  Latencies mixed;
  for (int i = 1; i <= 100; ++i) mixed.add(i * kMillisecond);
  EXPECT_NEAR(static_cast<double>(mixed.quantile(.95)), 95e6, 12e6);
  EXPECT_NEAR(static_cast<double>(mixed.quantile(.5)), 50e6, 7e6);
}

TEST(TrialJson, ItComesBackAsItWas) {
  TrialSpec spec{.version = 7, .share = 12.5, .shadow = 3, .min_requests = 5, .tolerance = .25};
  spec.compare_values = true;
  spec.promote_time = std::chrono::minutes(3);
  const auto back = parse_trial(to_json(spec));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(boost::json::value(to_json(*back)), boost::json::value(to_json(spec)));
}

TEST(TrialJson, WhatIsWrongIsRefused) {
  using boost::json::object;
  const object fine = {{"version", 2}, {"share", 10}};
  EXPECT_TRUE(parse_trial(fine));
  for (const object& more :
       {object{{"version", 0}}, object{{"version", "x"}}, object{{"share", 101}},
        object{{"share", -1}}, object{{"share", 0}}, object{{"share", "10"}}, object{{"shares", 1}},
        object{{"min_requests", 0}}, object{{"min_requests", -5}}, object{{"min_requests", 1.5}},
        object{{"max_error_rate", 2}}, object{{"compare_values", 1}},
        object{{"promote_time_ms", "soon"}}, object{{"tolerance", -1}}}) {
    object body = fine;
    for (const auto& [key, value] : more) body[key] = value;
    const auto got = parse_trial(body);
    ASSERT_FALSE(got) << boost::json::value(body);
    EXPECT_EQ(got.error().code(), Code::invalid_argument);
  }
}

}  // namespace
}  // namespace holdfast::inference
