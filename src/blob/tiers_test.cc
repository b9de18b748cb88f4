#include "blob/tiers.h"

#include <gtest/gtest.h>

#include "blob/history.h"
#include "blob/retention.h"
#include "blob/testing.h"

namespace holdfast::blob {
namespace {

using std::chrono::seconds;

struct Archiving : testing::Test, TestBlobs {
  Archiving() { ask({}); }
  void ask(AccountSettings settings) {
    settings.rehydration = seconds(60);
    blobs->set_settings([settings](std::string_view) { return settings; });
  }
  Result<Info> set(BlobKey of, const char* tier, bool high = false) {
    return run_task(Tiers(*blobs).set(std::move(of), tier, {}, high));
  }
  void archive(const std::string& name) {
    ASSERT_TRUE(put_blob(name, "bytes", {}, {}, {{"m", "1"}}));
    ASSERT_EQ(set(key(name), "Archive")->tier, "Archive");
  }
  size_t pass() {
    const auto done = run_task(Tiers(*blobs).pass());
    EXPECT_EQ(reason_of(done), "");
    return done.value_or(0);
  }
  // "tier", with the way that it is on.
  std::string state(const std::string& name) {
    const auto now = info(name);
    if (!now) return reason_of(now);
    const Rehydration& way = now->rehydration;
    return now->tier + (way.to.empty() ? "" : (way.high ? " >> " : " > ") + way.to);
  }
  Result<Info> copy(BlobKey from, const char* to, NewBlob::FromArchive how, const char* tier = "") {
    NewBlob wanted;
    wanted.from_archive = how;
    wanted.tier = tier;
    return run_task(blobs->copy_blob(key(to), std::move(from), wanted, {}, {}));
  }
  std::string under_way() { return rows("SELECT blob FROM rehydration ORDER BY blob"); }
};

TEST_F(Archiving, NothingOfItIsReadOrChanged) {
  archive("a");
  ASSERT_TRUE(put_block("a", "Yg==", "block"));
  EXPECT_EQ(bytes("a"), "blob_archived");
  EXPECT_EQ(reason_of(put_blob("a", "new")), "blob_archived");
  EXPECT_EQ(reason_of(run_task(blobs->may_replace(key("a"), {}))), "blob_archived");
  EXPECT_EQ(reason_of(put_list("a", {{BlockRef::latest, "Yg=="}})), "blob_archived");
  EXPECT_EQ(reason_of(run_task(blobs->set_properties(key("a"), Pairs(), {}, {}))), "blob_archived");
  EXPECT_EQ(reason_of(run_task(blobs->set_properties(key("a"), {}, Pairs(), {}))), "blob_archived");
  EXPECT_EQ(reason_of(run_task(History(*blobs).snapshot(key("a"), {}, {}))), "blob_archived");
  Expiry expiry;
  expiry.from = Expiry::now;
  expiry.after = seconds(5);
  EXPECT_EQ(reason_of(run_task(Retention(*blobs).set_expiry(key("a"), expiry, {}))),
            "blob_archived");
  ASSERT_TRUE(put_blob("source", "other"));
  EXPECT_EQ(reason_of(copy(key("source"), "a", NewBlob::never)), "blob_archived");
  EXPECT_EQ(info("a")->metadata, (Pairs{{"m", "1"}})) << "what is said of it stays readable";
  EXPECT_TRUE(run_task(blobs->set_tags(key("a"), {{"k", "v"}}, {})));
  EXPECT_EQ(reason_of(set(key("a"), "Archive")), "") << "it is there already";
  EXPECT_EQ(reason_of(delete_blob("a")), "");
}

TEST_F(Archiving, ItComesBackInItsTime) {
  archive("a");
  EXPECT_EQ(set(key("a"), "Cool")->rehydration.to, "Cool");
  EXPECT_EQ(state("a"), "Archive > Cool");
  EXPECT_EQ(run_task(blobs->list_blobs("site1", "c", {}))->items[0].rehydration.to, "Cool");
  EXPECT_EQ(reason_of(set(key("a"), "Hot")), "blob_rehydrating");
  EXPECT_EQ(reason_of(set(key("a"), "Archive")), "blob_rehydrating");
  EXPECT_EQ(bytes("a"), "blob_archived");
  clock.advance(seconds(59));
  EXPECT_EQ(reason_of(set(key("a"), "Cool")), "") << "which does not begin anew";
  EXPECT_EQ(pass(), 0);
  restart();
  clock.advance(seconds(1));
  EXPECT_EQ(pass(), 1);
  EXPECT_EQ(state("a"), "Cool");
  EXPECT_EQ(info("a")->tier_changed, clock.now());
  EXPECT_EQ(bytes("a"), "bytes");
  EXPECT_EQ(under_way(), "");
  EXPECT_EQ(pass(), 0);
  ASSERT_TRUE(set(key("a"), "Archive"));
  EXPECT_EQ(state("a"), "Archive") << "nothing is left of the way back";
}

TEST_F(Archiving, AHighPriorityIsNext) {
  archive("a");
  archive("b");
  ASSERT_TRUE(set(key("a"), "Hot"));
  ASSERT_TRUE(set(key("b"), "Cold", true));
  EXPECT_EQ(state("b"), "Archive >> Cold");
  EXPECT_EQ(pass(), 1);
  EXPECT_EQ(state("b"), "Cold");
  EXPECT_EQ(state("a"), "Archive > Hot");
  EXPECT_TRUE(set(key("a"), "Hot", true)->rehydration.high);
  EXPECT_TRUE(set(key("a"), "Hot")->rehydration.high) << "it stays what it was raised to";
  EXPECT_EQ(pass(), 1);
  EXPECT_EQ(state("a"), "Hot");
}

TEST_F(Archiving, ACopyComesBackInPlaceOfIt) {
  archive("a");
  EXPECT_EQ(reason_of(copy(key("a"), "b", NewBlob::never)), "blob_archived");
  EXPECT_EQ(reason_of(copy(key("a"), "b", NewBlob::standard, "Archive")), "blob_archived");
  EXPECT_EQ(reason_of(copy(key("a"), "a", NewBlob::standard)), "blob_archived");
  EXPECT_EQ(state("b"), "blob_not_found");
  ASSERT_EQ(copy(key("a"), "b", NewBlob::standard, "Cool")->rehydration.to, "Cool");
  ASSERT_TRUE(copy(key("a"), "h", NewBlob::high));
  EXPECT_EQ(state("b"), "Archive > Cool");
  EXPECT_EQ(state("h"), "Archive >> Hot");
  EXPECT_EQ(pass(), 1);
  EXPECT_EQ(bytes("h"), "bytes");
  clock.advance(seconds(60));
  EXPECT_EQ(pass(), 1);
  EXPECT_EQ(state("b"), "Cool");
  EXPECT_EQ(bytes("b"), "bytes");
  EXPECT_EQ(state("a"), "Archive");
}

TEST_F(Archiving, WhatIsKeptIsCopiedOutAlone) {
  AccountSettings settings;
  settings.versioning = true;
  ask(settings);
  ASSERT_TRUE(put_blob("a", "bytes"));
  BlobKey old = key("a");
  old.version = info("a")->version;
  ASSERT_TRUE(put_blob("a", "new"));
  ASSERT_EQ(reason_of(set(old, "Archive")), "");
  EXPECT_EQ(reason_of(run_task(blobs->open_blob(old, {}))), "blob_archived");
  EXPECT_EQ(reason_of(set(old, "Hot")), "blob_archived");
  EXPECT_EQ(bytes("a"), "new");
  ASSERT_TRUE(copy(old, "b", NewBlob::high));
  EXPECT_EQ(pass(), 1);
  EXPECT_EQ(bytes("b"), "bytes");
}

TEST_F(Archiving, TheWayBackEndsWithTheBlob) {
  archive("a");
  archive("b");
  ASSERT_TRUE(set(key("a"), "Hot"));
  ASSERT_TRUE(set(key("b"), "Hot"));
  ASSERT_EQ(reason_of(delete_blob("a")), "");
  EXPECT_EQ(under_way(), "b\n");
  ASSERT_TRUE(put_blob("a", "another"));
  ASSERT_TRUE(set(key("a"), "Archive"));
  EXPECT_EQ(state("a"), "Archive");
  ASSERT_EQ(reason_of(run_task(blobs->delete_container("site1", "c", {}))), "");
  EXPECT_EQ(under_way(), "");
  clock.advance(seconds(60));
  EXPECT_EQ(pass(), 0);
}

TEST_F(Archiving, AHiddenContainersBlobsWait) {
  AccountSettings settings;
  settings.containers_kept = seconds(3600);
  ask(settings);
  archive("a");
  ASSERT_TRUE(set(key("a"), "Hot"));
  const WallTime deleted = clock.now();
  ASSERT_EQ(reason_of(run_task(blobs->delete_container("site1", "c", {}))), "");
  clock.advance(seconds(60));
  EXPECT_EQ(pass(), 0);
  ASSERT_EQ(reason_of(run_task(History(*blobs).restore_container("site1", "c", "c", deleted))), "");
  EXPECT_EQ(pass(), 1);
  EXPECT_EQ(bytes("a"), "bytes");
}

TEST_F(Archiving, OfBlockBlobsAlone) {
  NewBlob log;
  log.type = BlobType::append;
  ASSERT_TRUE(run_task(blobs->put_blob(key("log"), stage(""), log, {})));
  EXPECT_EQ(reason_of(set(key("log"), "Archive")), "invalid_blob_type");
  EXPECT_EQ(reason_of(set(key("none"), "Archive")), "blob_not_found");
}

TEST_F(Archiving, AFailureChangesNothing) {
  archive("a");
  ASSERT_TRUE(set(key("a"), "Hot", true));
  failing_database->fail_next(Error(Code::unavailable, "test_full", "full"));
  EXPECT_FALSE(run_task(Tiers(*blobs).pass()));
  EXPECT_EQ(state("a"), "Archive >> Hot");
  EXPECT_EQ(pass(), 1);
}

}  // namespace
}  // namespace holdfast::blob
