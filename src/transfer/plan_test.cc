#include "transfer/plan.h"

#include <gtest/gtest.h>

namespace holdfast::transfer {
namespace {

Entry entry(std::string name, uint64_t size, std::string md5 = "") {
  Entry out;
  out.name = std::move(name);
  out.size = size;
  out.md5 = std::move(md5);
  return out;
}

std::string text(const Plan& plan) {
  std::string out;
  for (const Step& step : plan.steps) {
    out += step.kind == Step::Kind::send ? '+' : step.kind == Step::Kind::compare ? '?' : '-';
    out += step.entry.name + " ";
  }
  return out;
}

TEST(SyncPlan, SendsNewAndChangedComparesTheRest) {
  const std::vector<Entry> source = {entry("a", 1), entry("b", 2), entry("c", 3), entry("d", 4)};
  const std::vector<Entry> target = {entry("0", 9, "x"), entry("b", 2, "m"), entry("c", 4, "m"),
                                     entry("z", 1, "x")};
  const Plan kept = plan_sync(source, target, false);
  EXPECT_EQ(text(kept), "+a ?b +c +d ");
  EXPECT_EQ(kept.bytes, 8u);
  EXPECT_EQ(kept.steps[1].target, "m");
  EXPECT_EQ(text(plan_sync(source, target, true)), "+a ?b +c +d -0 -z ");
}

TEST(SyncPlan, KnownMd5sDecideAtOnce) {
  const Plan plan = plan_sync({entry("a", 1, "m"), entry("b", 1, "m"), entry("c", 1, "m")},
                              {entry("a", 1, "m"), entry("b", 1, "n"), entry("c", 1)}, true);
  EXPECT_EQ(text(plan), "+b ?c ");
  EXPECT_EQ(plan.same, 1u);
}

TEST(SyncPlan, AnEmptySourceDeletesOnlyWhenAsked) {
  EXPECT_EQ(text(plan_sync({}, {entry("a", 1)}, false)), "");
  EXPECT_EQ(text(plan_sync({}, {entry("a", 1)}, true)), "-a ");
}

}  // namespace
}  // namespace holdfast::transfer
