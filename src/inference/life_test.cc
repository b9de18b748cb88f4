#include "inference/life.h"

#include <csignal>

#include "inference/testing.h"

namespace holdfast::inference {
namespace {

constexpr int64_t kMinute = 60'000, kNow = 1'000 * kMinute;

Death killed(std::vector<Death::Seen> suspects, std::vector<Death::Seen> loaded = {}) {
  return {.orderly = false, .suspects = std::move(suspects), .loaded = std::move(loaded)};
}
Death crashed(std::vector<Death::Seen> suspects) {
  return {.orderly = false, .signal = SIGSEGV, .suspects = std::move(suspects)};
}
const Death::Seen kRan{.name = "m", .version = 2}, kAnswered{"m", 2, false, true},
    kLoading{"m", 2, true, false};

class LifeTest : public RepositoryTest {
 protected:
  bool learn(const Death& death, int64_t minutes = 0) {
    return learn_from(death, "m", kNow + minutes * kMinute, {}, life_);
  }
  std::string held() const { return life_.held(2) == nullptr ? "" : life_.held(2)->text(); }
  Life life_;
};

TEST_F(LifeTest, ThreeCrashesWithinTheTimeQuarantine) {
  EXPECT_TRUE(learn(crashed({kAnswered})));
  EXPECT_TRUE(learn(crashed({kAnswered}), 4));
  EXPECT_EQ(held(), "");
  EXPECT_TRUE(learn(crashed({kAnswered}), 8));
  EXPECT_EQ(held(),
            "quarantined: the server crashed 3 times within 10m while it ran, the last "
            "time by signal 11");
  EXPECT_EQ(life_.holds[0].since_ms, kNow + 8 * kMinute);
  EXPECT_FALSE(learn(crashed({kAnswered}), 9)) << "it is held already";
}

TEST_F(LifeTest, OldCrashesAreForgotten) {
  for (int i = 0; i < 10; ++i) learn(crashed({kRan}), i * 6L);
  EXPECT_EQ(held(), "");
  EXPECT_EQ(life_.crashes.size(), 2U);
}

// Whoever kills a busy server again and again finds healthy models running each time.
TEST_F(LifeTest, AKillCountsOnlyAgainstWhoHasNotAnswered) {
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(learn(killed({kAnswered})));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(learn(killed({kRan})));
  EXPECT_TRUE(held().ends_with("before it had answered anybody"));
  life_ = {};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(learn(killed({kLoading})));
  EXPECT_TRUE(held().ends_with("while it was loaded"));
}

TEST_F(LifeTest, AnAnswerOrAnOrderlyEndClearsKills) {
  for (int i = 0; i < 10; ++i) {
    learn(killed({kRan}));
    learn(killed({kRan}));
    if (i % 3 == 0) learn(killed({kAnswered}));
    if (i % 3 == 1) learn(killed({}, {kAnswered}));
    if (i % 3 == 2) learn(Death{});
    EXPECT_TRUE(life_.crashes.empty());
  }
  learn(killed({kLoading}));
  learn(killed({kLoading}));
  learn(killed({}, {kRan}));  // it was loaded that time
  EXPECT_TRUE(life_.crashes.empty());
  learn(crashed({kRan}));
  learn(Death{});
  EXPECT_EQ(life_.crashes.size(), 1U) << "a crash stays";
  EXPECT_EQ(held(), "");
}

TEST_F(LifeTest, OthersAreNotBlamed) {
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(learn(crashed({{.name = "n", .version = 2}})));
  for (int i = 0; i < 5; ++i) learn_from(crashed({kRan}), "m", kNow, {.crashes = 0}, life_);
  EXPECT_TRUE(life_.holds.empty());
}

TEST_F(LifeTest, ItLastsAndLeavesNoFileWhereThereIsNothingToSay) {
  fs::create_directories(folder_ + "/m");
  for (int i = 0; i < 4; ++i) learn(crashed({kRan, {.name = "m", .version = 3}}));
  learn(crashed({{.name = "m", .version = 4}}));
  ASSERT_TRUE(write_life(folder_ + "/m", life_));
  const auto read = read_life(folder_ + "/m");
  ASSERT_TRUE(read);
  ASSERT_EQ(read->holds.size(), 2U);
  EXPECT_EQ(read->held(3)->text(), life_.held(3)->text());
  ASSERT_EQ(read->crashes.size(), 1U);
  EXPECT_EQ(read->crashes[0].signal, SIGSEGV);
  ASSERT_TRUE(write_life(folder_ + "/m", Life{}));
  EXPECT_FALSE(fs::exists(folder_ + "/m/LIFE.json"));
  ASSERT_TRUE(write_life(folder_ + "/m", Life{}));
  std::ofstream(folder_ + "/m/LIFE.json") << "no json";
  EXPECT_EQ(read_life(folder_ + "/m").error().code(), Code::internal);
}

class HoldTest : public RepositoryTest {
 protected:
  // As the death of the last process left it.
  void hold(int64_t version, const std::string& name = "m") {
    repository_.reset();
    Life life;
    life.holds.push_back({version, "quarantined", "it crashed", 1});
    ASSERT_TRUE(write_life(folder_ + "/" + name, life));
    open();
  }
};

TEST_F(HoldTest, AnotherVersionServesInItsPlace) {
  for (int version : {1, 2}) ASSERT_TRUE(put(version, fake_model(version)));
  hold(2);
  EXPECT_EQ(state(), "1:READY* 2:UNAVAILABLE(quarantined: it crashed)");
  EXPECT_TRUE(repository_->ready());
  EXPECT_EQ(repository_->find("m", 2).error().code(), Code::unavailable);
  EXPECT_EQ(run_task(repository_->load("m", 2)).error().reason(), "held");
  EXPECT_EQ(run_task(repository_->activate("m", 2)).error().code(), Code::conflict);
  EXPECT_EQ(put(2, fake_model(2)).error().reason(), "held");
  ASSERT_TRUE(run_task(repository_->load("m")));
  EXPECT_EQ(current(), 1);
  EXPECT_EQ(run_task(repository_->release("m", 1)).error().code(), Code::not_found);
  ASSERT_TRUE(run_task(repository_->release("m", 2)));
  EXPECT_EQ(current(), 1) << "what serves goes on";
  ASSERT_TRUE(run_task(repository_->activate("m", 2)));
  EXPECT_EQ(current(), 2);
  open();
  EXPECT_EQ(current(), 2);
}

TEST_F(HoldTest, AloneItLeavesTheModelUnreadyUntilItIsReleased) {
  ASSERT_TRUE(put(1, fake_model(3)));
  hold(1);
  EXPECT_EQ(repository_->unready(),
            "version 1 of the model 'm' does not serve: quarantined: it crashed");
  EXPECT_NE(repository_->find("m").error().message().find("it crashed"), std::string::npos);
  ASSERT_TRUE(run_task(repository_->release("m", 1)));
  EXPECT_EQ(current(), 3);
  EXPECT_TRUE(repository_->ready());
  EXPECT_TRUE(repository_->lives().of("m").empty());
}

TEST_F(HoldTest, RemovingForgets) {
  ASSERT_TRUE(put(1, fake_model(1)));
  hold(1);
  ASSERT_TRUE(run_task(repository_->remove("m", 1)));
  EXPECT_FALSE(fs::exists(folder_ + "/m"));
  ASSERT_TRUE(put(1, fake_model(2)));
  EXPECT_EQ(current(), 2);
  hold(1);
  ASSERT_TRUE(run_task(repository_->remove_all("m")));
  ASSERT_TRUE(put(1, fake_model(3)));
  EXPECT_EQ(current(), 3);
}

}  // namespace
}  // namespace holdfast::inference
