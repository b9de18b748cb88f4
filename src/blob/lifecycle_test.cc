#include "blob/lifecycle.h"

#include <gtest/gtest.h>

#include "blob/history.h"
#include "blob/retention.h"
#include "blob/testing.h"

namespace holdfast::blob {
namespace {

using std::chrono::days;
using std::chrono::hours;

Result<LifecycleRules> parsed(const std::string& text) {
  TRY(YamlMap map, YamlMap::parse(text, "rules"));
  return parse_lifecycle(map);
}

std::string rule(const std::string& actions, const std::string& filters = "", int number = 1) {
  return R"({"enabled":true,"name":"r)" + std::to_string(number) +
         R"(","type":"Lifecycle","definition":{"filters":{"blobTypes":["blockBlob"])" + filters +
         R"(},"actions":)" + actions + "}}";
}
std::string policy(const std::string& rules) {
  return R"({"rules":[)" + rules + "]}";
}

const std::string kTiers =
    R"({"baseBlob":{"tierToCool":{"daysAfterModificationGreaterThan":10},"tierToCold":{"daysAfterModificationGreaterThan":20},"delete":{"daysAfterModificationGreaterThan":30}},"snapshot":{"delete":{"daysAfterCreationGreaterThan":25}},"version":{"delete":{"daysAfterCreationGreaterThan":5}}})";

struct Aging : testing::Test, TestBlobs {
  LifecycleRules rules;
  std::unique_ptr<Lifecycle> lifecycle;
  Aging() {
    const auto of = [this](std::string_view) -> const LifecycleRules& { return rules; };
    lifecycle = std::make_unique<Lifecycle>(*blobs, of, 0);
  }
  void use(const std::string& text) {
    auto made = parsed(text);
    ASSERT_TRUE(made) << made.error().message();
    rules = std::move(*made);
  }
  // "name action" of each step.
  std::string pass(bool dry_run = false) {
    const auto done = run_task(lifecycle->pass(dry_run));
    EXPECT_EQ(reason_of(done), "");
    std::string out;
    for (const LifecycleStep& step : done->steps)
      out += step.of.name + " " + std::string(to_string(step.action)) + " ";
    return out;
  }
};

TEST_F(Aging, WhatIsOldCoolsAndGoes) {
  use(policy(rule(kTiers)));
  ASSERT_TRUE(put_blob("a", "1"));
  clock.advance(days(10));
  EXPECT_EQ(pass(), "") << "ten days are not more than ten days";
  clock.advance(hours(1));
  ASSERT_TRUE(put_blob("b", "2"));
  const std::string before = everything();
  EXPECT_EQ(pass(true), "a tierToCool ");
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(info("a")->tier, "");
  EXPECT_EQ(pass(), "a tierToCool ");
  EXPECT_EQ(info("a")->tier, "Cool");
  EXPECT_EQ(pass(), "") << "it is cool already";
  clock.advance(days(10));
  EXPECT_EQ(pass(), "a tierToCold ") << "the age does not begin anew";
  EXPECT_EQ(info("b")->tier, "");
  clock.advance(days(10));
  EXPECT_EQ(pass(), "a delete b tierToCool ");
  EXPECT_EQ(bytes("a"), "blob_not_found");
}

TEST_F(Aging, WhatIsArchivedStaysThere) {
  use(policy(rule(
      R"({"baseBlob":{"tierToCool":{"daysAfterModificationGreaterThan":1},"tierToArchive":{"daysAfterModificationGreaterThan":5},"delete":{"daysAfterModificationGreaterThan":9}}})")));
  ASSERT_TRUE(put_blob("a", "1"));
  clock.advance(days(6));
  EXPECT_EQ(pass(), "a tierToArchive ");
  EXPECT_EQ(info("a")->tier, "Archive");
  clock.advance(days(1));
  EXPECT_EQ(pass(), "") << "to cool it would be to rehydrate it";
  clock.advance(days(3));
  EXPECT_EQ(pass(), "a delete ");
}

TEST_F(Aging, OfPrefixesAndTagsAlone) {
  const std::string remove = R"({"baseBlob":{"delete":{"daysAfterModificationGreaterThan":1}}})";
  make_container("logs");
  make_container("logs2");
  ASSERT_TRUE(put_blob("old/a", "1"));
  ASSERT_TRUE(put_blob("older", "1"));
  ASSERT_TRUE(run_task(blobs->put_blob({"site1", "logs", "x"}, stage("1"), {}, {}, {})));
  ASSERT_TRUE(run_task(blobs->put_blob({"site1", "logs2", "y"}, stage("1"), {}, {}, {})));
  ASSERT_TRUE(put_blob("tagged", "1"));
  ASSERT_TRUE(run_task(blobs->set_tags(key("tagged"), {{"keep", "no"}, {"b", "1"}}, {})));
  clock.advance(days(2));
  use(policy(rule(remove, R"(,"prefixMatch":["c/old/","logs/","c/old/a"])")));
  EXPECT_EQ(pass(true), "old/a delete x delete ");
  use(policy(rule(remove, R"(,"prefixMatch":["logs"])")));
  EXPECT_EQ(pass(true), "x delete y delete ");
  use(policy(rule(remove, R"(,"blobIndexMatch":[{"name":"keep","op":"==","value":"no"}])")));
  EXPECT_EQ(pass(true), "tagged delete ");
  use(policy(rule(remove, R"(,"blobIndexMatch":[{"name":"keep","op":"==","value":"yes"}])")));
  EXPECT_EQ(pass(true), "");
  rules.clear();
  EXPECT_EQ(pass(true), "");
}

TEST_F(Aging, SnapshotsAndVersionsHaveTheirOwn) {
  use(policy(rule(kTiers)));
  ASSERT_TRUE(put_blob("a", "1"));
  ASSERT_TRUE(run_task(History(*blobs).snapshot(key("a"), {}, {})));
  clock.advance(days(40));
  EXPECT_EQ(pass(), "a delete a delete ") << "the snapshot first, then the blob";
  EXPECT_EQ(rows("SELECT name FROM blob"), "");
  blobs->set_settings([](std::string_view) { return AccountSettings{true, {}}; });
  ASSERT_TRUE(put_blob("v", "1"));
  clock.advance(days(3));
  ASSERT_TRUE(put_blob("v", "2"));
  clock.advance(days(3));
  EXPECT_EQ(pass(), "v delete ");
  EXPECT_EQ(bytes("v"), "2");
  EXPECT_EQ(pass(), "");
}

TEST_F(Aging, WhatMustStayStays) {
  use(policy(rule(kTiers)));
  for (const char* name : {"held", "policy", "leased", "free"}) ASSERT_TRUE(put_blob(name, "1"));
  ASSERT_TRUE(run_task(Retention(*blobs).set_hold(key("held"), true)));
  ASSERT_TRUE(run_task(Retention(*blobs).set_policy(key("policy"), Immutability::unlocked,
                                                    clock.now() + days(100), {})));
  LeaseRequest lease;
  lease.action = LeaseRequest::acquire;
  lease.seconds = -1;
  lease.proposed = "c0ffee00-0000-0000-0000-000000000001";
  ASSERT_EQ(reason_of(run_task(blobs->lease_blob(key("leased"), lease, {}))), "");
  clock.advance(days(50));
  EXPECT_EQ(pass(), "free delete ");
  EXPECT_EQ(rows("SELECT name || tier FROM blob"), "held\nleased\npolicy\n");
  clock.advance(days(60));
  EXPECT_EQ(pass(), "policy delete ");
}

TEST_F(Aging, ManyAreWalkedInPages) {
  use(policy(rule(kTiers)));
  for (int i = 0; i < 450; ++i) ASSERT_TRUE(put_blob("b" + std::to_string(i), "1"));
  clock.advance(days(31));
  const auto done = run_task(lifecycle->pass(false));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->looked_at, 450u);
  EXPECT_EQ(done->deleted, 450u);
  EXPECT_EQ(rows("SELECT name FROM blob"), "");
}

TEST(LifecycleRules, AreReadStrictly) {
  const std::string remove = R"({"baseBlob":{"delete":{"daysAfterModificationGreaterThan":1}}})";
  for (const auto& [text, said] : {
           std::pair(policy(rule("{}")), "wants no action"),
           {policy(rule(R"({"baseBlob":{"delete":{}}})")), "needs daysAfter"},
           {policy(rule(R"({"baseBlob":{"delete":{"daysAfterModificationGreaterThan":-1}}})")),
            "from 0 to"},
           {policy(rule(R"({"baseBlob":{"delete":{"daysAfterModificationGreaterThan":"x"}}})")),
            "number"},
           {policy(rule(R"({"baseBlob":{"delete":{"daysAfterLastAccessTimeGreaterThan":1}}})")),
            "not offered"},
           {policy(rule(R"({"baseBlob":{"tierToHot":{"daysAfterModificationGreaterThan":1}}})")),
            "not offered"},
           {policy(rule(R"({"snapshot":{"delete":{"daysAfterModificationGreaterThan":1}}})")),
            "not a known key"},
           {policy(rule(remove, R"(,"prefixMatch":["/x"])")), "begins with a container"},
           {policy(rule(remove, R"(,"blobIndexMatch":[{"name":"a","op":"<","value":"b"}])")),
            "must be =="},
           {policy(rule(remove) + "," + rule(remove)), "twice"},
           {std::string(R"({"rules":[{"name":"r"}]})"), "blobTypes"},
           {std::string(R"({"rule":[]})"), "not a known key"},
       }) {
    const auto made = parsed(text);
    ASSERT_FALSE(made) << text;
    EXPECT_NE(std::string(made.error().message()).find(said), std::string::npos)
        << made.error().message();
  }
  EXPECT_TRUE(parsed(policy(rule(kTiers) + "," + rule(remove, "", 2))));
}

}  // namespace
}  // namespace holdfast::blob
