#include "modules/plan.h"

#include <gtest/gtest.h>

namespace holdfast::modules {
namespace {

using namespace std::chrono_literals;

const WallTime kNow{std::chrono::seconds(1'700'000'000)};

ModuleSpec spec(std::string name, uint32_t order = UINT32_MAX) {
  ModuleSpec out;
  out.name = std::move(name);
  out.image = "image";
  out.startup_order = order;
  return out;
}
Actual actual(const ModuleSpec& of, Running state, int exit_code = 0) {
  return {of.name, of.type, of.fingerprint(), state, exit_code, kNow - 60s, kNow - 30s, "id"};
}
Life life(const ModuleSpec& of, unsigned restarts = 0, std::chrono::seconds ended = 5s) {
  Life out;
  out.fingerprint = of.fingerprint();
  out.restarts = restarts;
  out.attempted = true;
  out.last_start = kNow - 60s;
  out.last_exit = kNow - ended;
  return out;
}

TEST(BackOff, IsThatOfEdgeAgent) {
  const std::pair<unsigned, int> table[] = {{0, 10},  {1, 20},  {2, 40},   {3, 80},
                                            {4, 160}, {5, 300}, {19, 300}, {4'000'000'000, 300}};
  for (const auto& [restarts, seconds] : table) EXPECT_EQ(back_off(restarts).count(), seconds);
}

TEST(Judge, FollowsPolicyAndPatience) {
  struct Case {
    RestartPolicy policy;
    Ended how;
    unsigned restarts;
    std::chrono::seconds ended;
    Verdict wanted;
  };
  const Case table[] = {
      {RestartPolicy::always, Ended::well, 0, 9s, Verdict::wait},
      {RestartPolicy::always, Ended::well, 0, 10s, Verdict::restart},
      {RestartPolicy::always, Ended::badly, 2, 39s, Verdict::wait},
      {RestartPolicy::always, Ended::badly, 2, 40s, Verdict::restart},
      {RestartPolicy::always, Ended::badly, 19, 300s, Verdict::restart},
      {RestartPolicy::always, Ended::badly, 20, 9000s, Verdict::give_up},
      {RestartPolicy::never, Ended::badly, 0, 9000s, Verdict::leave},
      {RestartPolicy::on_failure, Ended::well, 0, 9000s, Verdict::leave},
      {RestartPolicy::on_failure, Ended::badly, 0, 10s, Verdict::restart},
      {RestartPolicy::on_unhealthy, Ended::well, 0, 9000s, Verdict::leave},
      {RestartPolicy::on_unhealthy, Ended::badly, 1, 20s, Verdict::restart},
  };
  for (const Case& one : table) {
    const Life of = life(spec("m"), one.restarts, one.ended);
    EXPECT_EQ(judge(one.policy, one.how, of, kNow), one.wanted)
        << static_cast<int>(one.policy) << " " << one.restarts << " " << one.ended.count();
  }
}

TEST(Judge, TenMinutesOfHealthClearTheCount) {
  Life of = life(spec("m"), 3);
  of.last_start = kNow - 599s;
  EXPECT_FALSE(recovered(of, kNow));
  of.last_start = kNow - 600s;
  EXPECT_TRUE(recovered(of, kNow));
  of.restarts = 0;
  EXPECT_FALSE(recovered(of, kNow));
}

struct PlanTest : testing::Test {
  Deployment desired;
  std::vector<Actual> there;
  std::map<std::string, Life> lives;
  std::set<std::string> busy;
  std::vector<Action> now() const { return plan(desired, there, lives, busy, kNow); }
};
using Steps = std::vector<Action>;

TEST_F(PlanTest, NothingToDoWhereAllIsAsDesired) {
  desired.modules = {spec("a")};
  there = {actual(desired.modules[0], Running::running)};
  EXPECT_EQ(now(), Steps{});
}

TEST_F(PlanTest, DeploysWhatIsMissingAndRemovesWhatIsNotWanted) {
  desired.modules = {spec("a"), spec("b")};
  there = {actual(spec("old"), Running::running), actual(spec("b"), Running::running)};
  EXPECT_EQ(now(), (Steps{{Step::remove, "old"}, {Step::deploy, "a"}}));
}

TEST_F(PlanTest, ReplacesWhatWasMadeFromAnotherSpec) {
  ModuleSpec newer = spec("a");
  newer.image = "image:2";
  desired.modules = {newer};
  there = {actual(spec("a"), Running::running)};
  lives["a"] = life(spec("a"), 20);  // the old one's troubles do not count
  EXPECT_EQ(now(), (Steps{{Step::deploy, "a"}}));
}

TEST_F(PlanTest, ATypeThatChangedIsAnotherModule) {
  ModuleSpec model = spec("a");
  model.type = ModuleType::model;
  desired.modules = {model};
  there = {actual(spec("a"), Running::running)};
  EXPECT_EQ(now(), (Steps{{Step::deploy, "a"}}));
}

TEST_F(PlanTest, StopsAndStarts) {
  desired.modules = {spec("a"), spec("b")};
  desired.modules[0].status = Wanted::stopped;
  there = {actual(spec("a"), Running::running), actual(spec("b"), Running::created)};
  EXPECT_EQ(now(), (Steps{{Step::stop, "a"}, {Step::start, "b"}}));
  there[0].state = Running::exited;
  EXPECT_EQ(now(), (Steps{{Step::start, "b"}}));
}

TEST_F(PlanTest, RestartsAfterItsBackOff) {
  desired.modules = {spec("a")};
  there = {actual(spec("a"), Running::exited, 1)};
  lives["a"] = life(spec("a"), 0, 9s);
  EXPECT_EQ(now(), Steps{});
  lives["a"] = life(spec("a"), 0, 10s);
  EXPECT_EQ(now(), (Steps{{Step::restart, "a"}}));
  lives["a"] = life(spec("a"), 20, 9999s);
  EXPECT_EQ(now(), Steps{});
}

TEST_F(PlanTest, AFailedDeployIsTriedAgainWithBackOffAndNeverGivenUp) {
  desired.modules = {spec("a")};
  lives["a"] = life(spec("a"), 0, 19s);
  lives["a"].failures = 1;
  lives["a"].problem = "no such image";
  EXPECT_EQ(now(), Steps{});
  lives["a"].last_exit = kNow - 20s;
  EXPECT_EQ(now(), (Steps{{Step::deploy, "a"}}));
  lives["a"].failures = 500;
  lives["a"].last_exit = kNow - 300s;
  EXPECT_EQ(now(), (Steps{{Step::deploy, "a"}}));
}

TEST_F(PlanTest, BusyOnesAreLeftAlone) {
  desired.modules = {spec("a"), spec("b")};
  there = {actual(spec("old"), Running::running)};
  busy = {"a", "old"};
  EXPECT_EQ(now(), (Steps{{Step::deploy, "b"}}));
}

TEST_F(PlanTest, OrderWaitsForAnAttemptNotForSuccess) {
  desired.modules = {spec("first", 0), spec("too", 0), spec("second", 1), spec("third", 2)};
  EXPECT_EQ(now(), (Steps{{Step::deploy, "first"}, {Step::deploy, "too"}}));
  busy = {"first", "too"};
  EXPECT_EQ(now(), Steps{});
  busy = {};
  there = {actual(desired.modules[0], Running::running)};
  lives["first"] = life(desired.modules[0]);
  lives["too"] = life(desired.modules[1]);
  lives["too"].problem = "no such image";
  EXPECT_EQ(now(), (Steps{{Step::deploy, "second"}}));
}

TEST_F(PlanTest, AStoppedOneHoldsNobodyBack) {
  desired.modules = {spec("first", 0), spec("second", 1)};
  desired.modules[0].status = Wanted::stopped;
  EXPECT_EQ(now(), (Steps{{Step::deploy, "first"}, {Step::deploy, "second"}}));
}

TEST(RuntimeStatus, HasEdgeAgentsWords) {
  ModuleSpec of = spec("a");
  const Actual running = actual(of, Running::running), ended = actual(of, Running::exited, 1),
               good = actual(of, Running::exited, 0);
  Life tired = life(of, 20, 9999s), patient = life(of, 1, 5s), broken = life(of);
  broken.problem = "no such image";
  EXPECT_EQ(runtime_status(of, &running, nullptr, kNow), "running");
  EXPECT_EQ(runtime_status(of, nullptr, nullptr, kNow), "unknown");
  EXPECT_EQ(runtime_status(of, nullptr, &broken, kNow), "backoff");
  EXPECT_EQ(runtime_status(of, &ended, &patient, kNow), "backoff");
  EXPECT_EQ(runtime_status(of, &ended, &tired, kNow), "failed");
  of.restart = RestartPolicy::on_failure;
  EXPECT_EQ(runtime_status(of, &good, &patient, kNow), "stopped");
  of.restart = RestartPolicy::never;
  EXPECT_EQ(runtime_status(of, &ended, &patient, kNow), "failed");
  of.status = Wanted::stopped;
  EXPECT_EQ(runtime_status(of, &ended, &patient, kNow), "stopped");
}

}  // namespace
}  // namespace holdfast::modules
