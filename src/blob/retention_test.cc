#include "blob/retention.h"

#include <gtest/gtest.h>

#include "blob/finds.h"
#include "blob/history.h"
#include "blob/pages.h"
#include "blob/testing.h"

namespace holdfast::blob {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

struct Retaining : testing::Test, TestBlobs {
  Result<Info> expire(std::string name, Expiry::From from, std::chrono::milliseconds after = {}) {
    Expiry expiry;
    expiry.from = from;
    expiry.after = after;
    return run_task(Retention(*blobs).set_expiry(key(std::move(name)), expiry, {}));
  }
  Result<Info> policy(std::string name, Immutability::Mode mode, std::chrono::nanoseconds in) {
    return run_task(Retention(*blobs).set_policy(key(std::move(name)), mode, clock.now() + in, {}));
  }
  Result<Info> hold(std::string name, bool on) {
    return run_task(Retention(*blobs).set_hold(key(std::move(name)), on));
  }
  std::string listed() {
    std::string out;
    for (const Info& info : run_task(blobs->list_blobs("site1", "c", {}))->items)
      out += info.name + " ";
    return out;
  }
  // The reasons why each write of the blob is refused, where they are one; else all of them.
  std::string refusal(const std::string& name) {
    NewBlob page;
    page.type = BlobType::page;
    const std::vector<std::string> reasons = {
        reason_of(put_blob(name, "new")),
        reason_of(put_list(name, {})),
        reason_of(run_task(blobs->may_replace(key(name), {}))),
        reason_of(run_task(PageBlobs(*blobs).create(key(name), 512, page, {}))),
        reason_of(run_task(blobs->copy_blob(key(name), key("source"), {}, {}, {}))),
        reason_of(run_task(blobs->set_properties(key(name), Pairs(), Pairs(), {}))),
        reason_of(expire(name, Expiry::now, hours(1))),
        reason_of(delete_blob(name)),
        reason_of(run_task(blobs->delete_container("site1", "c", {})))};
    std::string out = reasons.front();
    for (const std::string& reason : reasons) {
      if (reason != reasons.front()) out += " " + reason;
    }
    return out;
  }
};

TEST_F(Retaining, WhatHasExpiredIsGoneFromEverywhere) {
  ASSERT_TRUE(put_blob("a", "bytes"));
  ASSERT_TRUE(put_blob("b", "stays"));
  ASSERT_TRUE(run_task(blobs->set_tags(key("a"), {{"k", "v"}}, {})));
  ASSERT_TRUE(expire("a", Expiry::now, hours(1)));
  clock.advance(minutes(59));
  EXPECT_EQ(bytes("a"), "bytes");
  EXPECT_EQ(listed(), "a b ");
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(bytes("a"), "bytes");
  clock.advance(minutes(1));
  EXPECT_EQ(bytes("a"), "blob_not_found");
  EXPECT_EQ(reason_of(info("a")), "blob_not_found");
  EXPECT_EQ(reason_of(delete_blob("a")), "blob_not_found");
  EXPECT_EQ(reason_of(run_task(blobs->copy_blob(key("x"), key("a"), {}, {}, {}))),
            "copy_source_not_found");
  EXPECT_EQ(reason_of(expire("a", Expiry::never)), "blob_not_found") << "it does not come back";
  EXPECT_EQ(listed(), "b ");
  FindQuery query;
  query.account = "site1";
  query.tests = {TagTest{TagTest::equal, "k", "v"}};
  EXPECT_TRUE(run_task(find_by_tags(*blobs, query))->items.empty());
  std::string seen;
  blobs->observe([&](const BlobKey& gone) { seen += gone.name + " "; });
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(seen, "a ");
  EXPECT_EQ(rows("SELECT name FROM blob"), "b\n");
  EXPECT_EQ(contents_after_sweep(), 1);
}

TEST_F(Retaining, InPlaceOfWhatHasExpiredThereIsANewBlob) {
  ASSERT_TRUE(put_block("a", "AAAA", "old"));
  ASSERT_TRUE(put_list("a", {{BlockRef::latest, "AAAA"}}));
  ASSERT_TRUE(expire("a", Expiry::now, hours(1)));
  clock.advance(hours(2));
  EXPECT_EQ(reason_of(put_list("a", {{BlockRef::latest, "AAAA"}})), "invalid_block_list");
  EXPECT_EQ(reason_of(put_blob("a", "x", if_match(Conditions::kAny))), "condition_not_met");
  const auto made = put_blob("a", "new", if_none_match(Conditions::kAny));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->created, clock.now());
  EXPECT_EQ(made->expiry, WallTime());
  EXPECT_EQ(bytes("a"), "new");
  EXPECT_EQ(contents_after_sweep(), 1);
}

TEST_F(Retaining, FromWhenABlobExpires) {
  ASSERT_TRUE(put_blob("a", "bytes"));
  const WallTime created = clock.now();
  clock.advance(hours(1));
  EXPECT_EQ(expire("a", Expiry::now, hours(1))->expiry, created + hours(2));
  EXPECT_EQ(expire("a", Expiry::creation, hours(3))->expiry, created + hours(3));
  EXPECT_EQ(reason_of(expire("a", Expiry::creation, hours(1))), "invalid_expiry");
  EXPECT_EQ(reason_of(expire("a", Expiry::now, std::chrono::milliseconds(INT64_MAX))),
            "invalid_expiry");
  EXPECT_EQ(expire("a", Expiry::never)->expiry, WallTime());
  Expiry at;
  at.from = Expiry::absolute;
  at.at = created;
  EXPECT_EQ(reason_of(run_task(Retention(*blobs).set_expiry(key("a"), at, {}))), "invalid_expiry");
  clock.advance(hours(9));
  EXPECT_EQ(bytes("a"), "bytes");
}

TEST_F(Retaining, APolicyKeepsABlobAsItIs) {
  ASSERT_TRUE(put_blob("source", "x"));
  ASSERT_TRUE(put_blob("a", "bytes"));
  ASSERT_TRUE(policy("a", Immutability::unlocked, hours(1)));
  const std::string before = everything();
  EXPECT_EQ(refusal("a"), "immutable_policy");
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(bytes("a"), "bytes");
  EXPECT_TRUE(run_task(blobs->set_tags(key("a"), {{"k", "v"}}, {})));
  clock.advance(hours(1));
  EXPECT_EQ(reason_of(put_blob("a", "new")), "");
}

TEST_F(Retaining, APolicyThatIsLockedIsOnlyExtended) {
  ASSERT_TRUE(put_blob("a", "bytes"));
  ASSERT_TRUE(policy("a", Immutability::unlocked, hours(9)));
  ASSERT_TRUE(policy("a", Immutability::unlocked, hours(5)));
  ASSERT_TRUE(run_task(Retention(*blobs).delete_policy(key("a"))));
  ASSERT_TRUE(policy("a", Immutability::locked, hours(5)));
  EXPECT_EQ(reason_of(policy("a", Immutability::locked, hours(4))), "policy_locked");
  EXPECT_EQ(reason_of(policy("a", Immutability::unlocked, hours(9))), "policy_locked");
  EXPECT_EQ(reason_of(run_task(Retention(*blobs).delete_policy(key("a")))), "policy_delete_locked");
  EXPECT_EQ(reason_of(policy("a", Immutability::locked, hours(6))), "");
  EXPECT_EQ(reason_of(delete_blob("a")), "immutable_policy");
  clock.advance(hours(6));
  EXPECT_EQ(reason_of(delete_blob("a")), "");
}

TEST_F(Retaining, ALegalHoldKeepsABlobUntilItIsLifted) {
  ASSERT_TRUE(put_blob("source", "x"));
  ASSERT_TRUE(put_blob("a", "bytes"));
  ASSERT_TRUE(hold("a", true));
  clock.advance(hours(24 * 365));
  const std::string refused = refusal("a");
  EXPECT_TRUE(refused.starts_with("immutable_hold")) << refused;
  EXPECT_EQ(bytes("a"), "bytes");
  ASSERT_TRUE(hold("a", false));
  EXPECT_EQ(reason_of(delete_blob("a")), "");
}

TEST_F(Retaining, AppendsAndPagesAreWritesToo) {
  NewBlob log;
  log.type = BlobType::append;
  ASSERT_TRUE(run_task(blobs->put_blob(key("log"), stage(""), log, {})));
  NewBlob disk;
  disk.type = BlobType::page;
  ASSERT_TRUE(run_task(PageBlobs(*blobs).create(key("disk"), 1024, disk, {})));
  ASSERT_TRUE(policy("log", Immutability::locked, hours(1)));
  ASSERT_TRUE(hold("disk", true));
  EXPECT_EQ(reason_of(run_task(blobs->append_block(key("log"), stage("x"), {}, {}))),
            "immutable_policy");
  EXPECT_EQ(reason_of(run_task(blobs->seal(key("log"), {}, {}))), "immutable_policy");
  EXPECT_EQ(reason_of(run_task(
                PageBlobs(*blobs).write(key("disk"), Range{0, 511}, std::nullopt, {}, {}))),
            "immutable_hold");
  EXPECT_EQ(reason_of(run_task(PageBlobs(*blobs).change(key("disk"), {}, {}))), "immutable_hold");
}

TEST_F(Retaining, WhatMustBeKeptDoesNotExpire) {
  ASSERT_TRUE(put_blob("a", "bytes"));
  ASSERT_TRUE(expire("a", Expiry::now, hours(1)));
  ASSERT_TRUE(policy("a", Immutability::locked, hours(3)));
  clock.advance(hours(2));
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(bytes("a"), "bytes");
  EXPECT_EQ(listed(), "a ");
  ASSERT_TRUE(hold("a", true));
  clock.advance(hours(2));
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(bytes("a"), "bytes");
  EXPECT_EQ(listed(), "a ");
  ASSERT_TRUE(hold("a", false));
  EXPECT_EQ(bytes("a"), "blob_not_found");
  EXPECT_EQ(listed(), "");
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(rows("SELECT name FROM blob"), "");
}

struct Keeping : Retaining {
  Keeping() {
    EXPECT_TRUE(run_task(blobs->change_service_properties(
        "site1", [](const std::string&) -> Result<ServiceDocument> {
          ServiceDocument document("<x/>");
          document.kept = hours(48);
          return document;
        })));
  }
};

TEST_F(Keeping, WhatHasExpiredIsKeptAsIfItWereDeleted) {
  ASSERT_TRUE(put_blob("a", "bytes"));
  ASSERT_TRUE(run_task(History(*blobs).snapshot(key("a"), {}, {})));
  ASSERT_TRUE(expire("a", Expiry::now, hours(1)));
  clock.advance(hours(1));
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(rows("SELECT count(*) FROM blob"), "0\n");
  ASSERT_TRUE(run_task(History(*blobs).undelete(key("a"))));
  EXPECT_EQ(bytes("a"), "bytes");
  clock.advance(hours(100));
  EXPECT_EQ(bytes("a"), "bytes") << "its time is not that of before";
  ASSERT_TRUE(expire("a", Expiry::now, hours(1)));
  clock.advance(hours(1));
  ASSERT_TRUE(run_task(History(*blobs).undelete(key("a")))) << "before a sweep came";
  EXPECT_EQ(bytes("a"), "bytes");
}

TEST_F(Retaining, SnapshotsAndVersionsAreKeptToo) {
  ASSERT_TRUE(put_blob("a", "bytes"));
  BlobKey taken = key("a");
  taken.snapshot = run_task(History(*blobs).snapshot(key("a"), {}, {}))->snapshot;
  ASSERT_TRUE(run_task(
      Retention(*blobs).set_policy(taken, Immutability::locked, clock.now() + hours(5), {})));
  Removal with;
  with.snapshots = Removal::include;
  EXPECT_EQ(reason_of(run_task(History(*blobs).remove(key("a"), {}, with))), "immutable_policy");
  EXPECT_EQ(reason_of(run_task(History(*blobs).remove(taken, {}, {}))), "immutable_policy");
  EXPECT_EQ(reason_of(run_task(blobs->delete_container("site1", "c", {}))), "immutable_policy");
  ASSERT_TRUE(expire("a", Expiry::now, hours(1)));
  clock.advance(hours(1));
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(bytes("a"), "blob_not_found");
  EXPECT_TRUE(run_task(blobs->blob(taken, {}))) << "it does not go with the blob";
  clock.advance(hours(4));
  EXPECT_EQ(reason_of(run_task(History(*blobs).remove(taken, {}, {}))), "");

  blobs->set_settings([](std::string_view) { return AccountSettings{true, {}}; });
  BlobKey version = key("v");
  version.version = put_blob("v", "1")->version;
  ASSERT_TRUE(put_blob("v", "2"));
  ASSERT_TRUE(run_task(Retention(*blobs).set_hold(version, true)));
  EXPECT_EQ(reason_of(run_task(History(*blobs).remove(version, {}, {}))), "immutable_hold");
  EXPECT_EQ(reason_of(put_blob("v", "3")), "") << "it is another version that is held";
  ASSERT_TRUE(run_task(Retention(*blobs).set_hold(version, false)));
  EXPECT_EQ(reason_of(run_task(History(*blobs).remove(version, {}, {}))), "");
}

}  // namespace
}  // namespace holdfast::blob
