// Snapshots, versions and soft delete: what is kept, for how long, and what it holds.
#include "blob/history.h"

#include <gtest/gtest.h>

#include "blob/testing.h"

namespace holdfast::blob {
namespace {

constexpr auto kDay = std::chrono::hours(24);

struct HistoryTest : testing::Test, TestBlobs {
  AccountSettings settings;

  HistoryTest() {
    blobs->set_settings([this](std::string_view) { return settings; });
  }
  void keep_deleted(int days, bool permanent = false) {
    ASSERT_TRUE(run_task(blobs->change_service_properties(
        "site1", [=](const std::string&) -> Result<ServiceDocument> {
          ServiceDocument document("<a/>");
          document.kept = std::chrono::days(days);
          document.permanent_delete = permanent;
          return document;
        })));
  }
  BlobKey at_snapshot(const std::string& name, WallTime time) {
    BlobKey it = key(name);
    it.snapshot = time;
    return it;
  }
  BlobKey at_version(const std::string& name, WallTime time) {
    BlobKey it = key(name);
    it.version = time;
    return it;
  }
  WallTime snapshot(const std::string& name) {
    const auto taken = run_task(History(*blobs).snapshot(key(name), std::nullopt, {}));
    EXPECT_EQ(reason_of(taken), "");
    return taken ? taken->snapshot : WallTime();
  }
  std::string bytes_of(BlobKey it) {
    const auto open = run_task(blobs->open_blob(std::move(it), {}));
    return open ? read(open->content) : reason_of(open);
  }
  std::string remove(BlobKey it, Removal removal = {}) {
    return reason_of(run_task(History(*blobs).remove(std::move(it), {}, removal)));
  }
  std::string undelete(const std::string& name) {
    return reason_of(run_task(History(*blobs).undelete(key(name))));
  }
  // "name" for a blob; with s, v, d for what else it is, * for a current version.
  std::string list(ListQuery query) {
    const auto page = run_task(blobs->list_blobs("site1", "c", std::move(query)));
    if (!page) return reason_of(page);
    std::string out;
    for (const Info& info : page->items) {
      out += (out.empty() ? "" : " ") + info.name;
      if (info.snapshot != WallTime()) out += ":s";
      if (info.version != WallTime()) out += info.current ? ":*" : ":v";
      if (info.deleted != WallTime()) out += ":d";
      if (info.versions_only) out += ":gone";
    }
    return out;
  }
};

TEST_F(HistoryTest, ASnapshotStaysAsTheBlobWas) {
  ASSERT_TRUE(put_blob("x", "one", {}, {{"Content-Type", "a/b"}}, {{"m", "1"}}));
  const WallTime first = snapshot("x"), second = snapshot("x");
  EXPECT_LT(first, second);  // though the clock stood still
  ASSERT_TRUE(put_blob("x", "two"));
  EXPECT_EQ(bytes("x"), "two");
  EXPECT_EQ(bytes_of(at_snapshot("x", first)), "one");
  const auto info = run_task(blobs->blob(at_snapshot("x", second), {}));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->metadata, (Pairs{{"m", "1"}}));
  EXPECT_EQ(bytes_of(at_snapshot("x", second + std::chrono::seconds(1))), "blob_not_found");
  EXPECT_EQ(bytes_of(at_version("x", first)), "blob_not_found");
  EXPECT_EQ(contents_after_sweep(), 2);
  EXPECT_EQ(remove(at_snapshot("x", first)), "");
  EXPECT_EQ(bytes_of(at_snapshot("x", second)), "one");
  EXPECT_EQ(contents_after_sweep(), 2);
  EXPECT_EQ(remove(at_snapshot("x", second)), "");
  EXPECT_EQ(remove(at_snapshot("x", second)), "blob_not_found");
  EXPECT_EQ(contents_after_sweep(), 1);
}

TEST_F(HistoryTest, ABlobWithSnapshotsGoesWithThemOnly) {
  ASSERT_TRUE(put_blob("x", "one"));
  snapshot("x");
  snapshot("x");
  EXPECT_EQ(remove(key("x")), "snapshots_present");
  EXPECT_EQ(reason_of(delete_blob("x")), "snapshots_present");
  Removal removal;
  removal.snapshots = Removal::only;
  EXPECT_EQ(remove(key("x"), removal), "");
  EXPECT_EQ(list({.snapshots = true}), "x");
  snapshot("x");
  EXPECT_EQ(list({.snapshots = true}), "x:s x");
  removal.snapshots = Removal::include;
  EXPECT_EQ(remove(key("x"), removal), "");
  EXPECT_EQ(list({.snapshots = true}), "");
  EXPECT_EQ(contents_after_sweep(), 0);
}

TEST_F(HistoryTest, BlocksOfASnapshotAreThereAgainInACopyOfIt) {
  ASSERT_TRUE(put_block("x", "AAAA", "a"));
  ASSERT_TRUE(put_block("x", "BBBB", "b"));
  ASSERT_TRUE(put_list("x", {{BlockRef::latest, "AAAA"}, {BlockRef::latest, "BBBB"}}));
  const WallTime taken = snapshot("x");
  ASSERT_TRUE(put_blob("x", "other"));
  const auto lists = run_task(blobs->block_lists(at_snapshot("x", taken)));
  ASSERT_TRUE(lists);
  ASSERT_EQ(lists->committed.size(), 2u);
  EXPECT_EQ(lists->committed[1].id, "BBBB");
  // Over the blob itself: that is how one goes back to a snapshot.
  ASSERT_TRUE(run_task(blobs->copy_blob(key("x"), at_snapshot("x", taken), {}, {}, {})));
  ASSERT_TRUE(put_list("x", {{BlockRef::committed, "BBBB"}}));
  EXPECT_EQ(bytes("x"), "b");
  EXPECT_EQ(bytes_of(at_snapshot("x", taken)), "ab");
}

TEST_F(HistoryTest, AnAppendBlobGrowsOnAfterItWasUndeleted) {
  keep_deleted(3);
  NewBlob wanted;
  wanted.type = BlobType::append;
  ASSERT_TRUE(run_task(blobs->put_blob(key("log"), stage(""), wanted, {})));
  const auto append = [&](const std::string& text) {
    return reason_of(run_task(blobs->append_block(key("log"), stage(text), {}, {})));
  };
  std::string all;
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(append(std::to_string(i)), "");
    all += std::to_string(i);
  }
  const WallTime taken = snapshot("log");
  EXPECT_EQ(append("more"), "");
  EXPECT_EQ(bytes_of(at_snapshot("log", taken)), all);
  Removal removal;
  removal.snapshots = Removal::include;
  EXPECT_EQ(remove(key("log"), removal), "");
  EXPECT_EQ(bytes("log"), "blob_not_found");
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(undelete("log"), "");
  EXPECT_EQ(append("!"), "");
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(bytes("log"), all + "more!");
  EXPECT_EQ(bytes_of(at_snapshot("log", taken)), all);
}

TEST_F(HistoryTest, SoftDeleteKeepsABlobUntilItsTime) {
  keep_deleted(2);
  ASSERT_TRUE(put_blob("x", "one"));
  EXPECT_EQ(remove(key("x")), "");
  EXPECT_EQ(remove(key("x")), "blob_not_found");
  EXPECT_EQ(list({}), "");
  EXPECT_EQ(list({.deleted = true}), "x:d");
  clock.advance(2 * kDay - std::chrono::seconds(1));
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(undelete("x"), "");
  EXPECT_EQ(bytes("x"), "one");
  EXPECT_EQ(list({.deleted = true}), "x");
  EXPECT_EQ(remove(key("x")), "");
  keep_deleted(0);  // what was kept before stays for as long as was said then
  clock.advance(2 * kDay - std::chrono::seconds(1));
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(list({.deleted = true}), "x:d");
  clock.advance(std::chrono::seconds(1));
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(list({.deleted = true}), "");
  EXPECT_EQ(undelete("x"), "blob_not_found");
  EXPECT_EQ(contents_after_sweep(), 0);
}

TEST_F(HistoryTest, SoftDeleteKeepsWhatWasOverwritten) {
  keep_deleted(2);
  ASSERT_TRUE(put_blob("x", "one"));
  ASSERT_TRUE(put_blob("x", "two"));
  EXPECT_EQ(list({.snapshots = true}), "x");
  EXPECT_EQ(list({.snapshots = true, .deleted = true}), "x:s:d x");
  EXPECT_EQ(remove(key("x")), "");  // softly deleted snapshots do not hinder
  ASSERT_TRUE(put_blob("x", "three"));
  EXPECT_EQ(list({.deleted = true}), "x");
  EXPECT_EQ(undelete("x"), "");
  EXPECT_EQ(bytes("x"), "three");
  EXPECT_EQ(list({.snapshots = true}), "x:s x:s x");
  EXPECT_EQ(undelete("never"), "blob_not_found");
}

TEST_F(HistoryTest, EachWriteOfAVersionedAccountKeepsWhatWas) {
  ASSERT_TRUE(put_blob("old", "before"));  // without an id
  settings.versioning = true;
  const auto one = put_blob("x", "one"), two = put_blob("x", "two");
  const auto three = run_task(blobs->set_properties(key("x"), std::nullopt, Pairs{{"m", "1"}}, {}));
  ASSERT_TRUE(one && two && three);
  EXPECT_LT(one->version, two->version);
  EXPECT_LT(two->version, three->version);
  EXPECT_EQ(bytes_of(at_version("x", one->version)), "one");
  EXPECT_EQ(bytes_of(at_version("x", three->version)), "two");
  EXPECT_TRUE(run_task(blobs->blob(at_version("x", two->version), {}))->metadata.empty());
  EXPECT_EQ(list({.versions = true}), "old x:v x:v x:*");
  EXPECT_EQ(remove(at_version("x", three->version)), "current_version");
  const WallTime taken = snapshot("x");
  EXPECT_NE(taken, three->version);
  EXPECT_EQ(list({.snapshots = true, .versions = true}), "old x:v x:v x:s x:*");
  Removal removal;
  removal.snapshots = Removal::include;
  EXPECT_EQ(remove(key("x"), removal), "");
  EXPECT_EQ(bytes("x"), "blob_not_found");
  EXPECT_EQ(bytes_of(at_version("x", three->version)), "two");
  EXPECT_EQ(list({.gone = true}), "old x:v:gone");
  EXPECT_EQ(list({.versions = true}), "old x:v x:v x:v");
  // The one that said so goes; the next one says so.
  EXPECT_EQ(remove(at_version("x", three->version)), "");
  EXPECT_EQ(list({.gone = true}), "old x:v:gone");
  ASSERT_TRUE(run_task(blobs->copy_blob(key("x"), at_version("x", one->version), {}, {}, {})));
  EXPECT_EQ(bytes("x"), "one");
  EXPECT_EQ(list({.gone = true}), "old x:*");
  ASSERT_TRUE(put_blob("old", "after"));
  EXPECT_EQ(list({.prefix = "old", .versions = true}), "old:v old:*");
}

TEST_F(HistoryTest, AVersionIsDeletedSoftlyAndForGood) {
  settings.versioning = true;
  keep_deleted(5, true);
  const auto one = put_blob("x", "one");
  ASSERT_TRUE(one && put_blob("x", "two"));
  const BlobKey first = at_version("x", one->version);
  Removal permanent;
  permanent.permanent = true;
  EXPECT_EQ(remove(first, permanent), "not_soft_deleted");
  EXPECT_EQ(remove(first), "");
  EXPECT_EQ(bytes_of(first), "blob_not_found");
  EXPECT_EQ(remove(first), "blob_not_found");
  EXPECT_EQ(list({.deleted = true, .versions = true}), "x:v:d x:*");
  EXPECT_EQ(undelete("x"), "");
  EXPECT_EQ(bytes_of(first), "one");
  EXPECT_EQ(remove(first), "");
  keep_deleted(5);
  EXPECT_EQ(remove(first, permanent), "permanent_delete_disabled");
  keep_deleted(5, true);
  EXPECT_EQ(remove(first, permanent), "");
  EXPECT_EQ(contents_after_sweep(), 1);
  EXPECT_EQ(list({.deleted = true, .versions = true}), "x:*");
}

TEST_F(HistoryTest, AListingInPagesIsTheListingInOnePiece) {
  settings.versioning = true;
  keep_deleted(5);
  for (const char* name : {"a", "b/1", "b/2", "c"}) {
    ASSERT_TRUE(put_blob(name, "1"));
    snapshot(name);
    ASSERT_TRUE(put_blob(name, "2"));
  }
  settings.versioning = false;
  ASSERT_TRUE(put_blob("d", "1"));
  EXPECT_EQ(remove(key("d")), "");
  ASSERT_TRUE(put_block("aa", "AAAA", "a"));
  ASSERT_TRUE(put_block("c", "AAAA", "a"));
  ASSERT_TRUE(put_block("e", "AAAA", "a"));
  ListQuery all;
  all.snapshots = all.versions = all.deleted = all.gone = all.uncommitted = true;
  EXPECT_EQ(list(all), "a:v a:s a:* aa b/1:v b/1:s b/1:* b/2:v b/2:s b/2:* c:v c:s c:* d:d e");
  for (const char* delimiter : {"", "/"}) {
    all.delimiter = delimiter;
    const auto whole = run_task(blobs->list_blobs("site1", "c", all));
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->prefixes.size(), *delimiter == '/' ? 1u : 0u);
    for (const size_t limit : {1u, 2u, 3u, 7u}) {
      ListQuery query = all;
      query.limit = limit;
      std::string names;
      do {
        const auto page = run_task(blobs->list_blobs("site1", "c", query));
        ASSERT_TRUE(page);
        for (const Info& info : page->items) names += info.name + " ";
        query.marker = page->next;
      } while (!query.marker.empty());
      std::string expected;
      for (const Info& info : whole->items) expected += info.name + " ";
      EXPECT_EQ(names, expected) << limit << delimiter;
    }
  }
}

// What is not asked for is not walked through either: no sorting, no scan.
TEST_F(HistoryTest, AListingWalksIndexes) {
  std::string plan;
  ASSERT_TRUE(database->write_now([&](store::Tx& tx) {
    return tx.each(
        "EXPLAIN QUERY PLAN SELECT name, 1 AS at FROM blob WHERE container = ?1 AND name >= ?2 "
        "UNION ALL SELECT name, at FROM blob_history INDEXED BY blob_history_by_state WHERE "
        "container = ?1 AND state = 0 AND (name, at) >= (?2, ?3) UNION ALL SELECT name, at FROM "
        "blob_history INDEXED BY blob_history_by_state WHERE container = ?1 AND state = 2 AND "
        "(name, at) >= (?2, ?3) ORDER BY name, at",
        {int64_t{1}, std::string_view("a"), int64_t{0}}, [&](const store::Row& row) {
          plan += std::string(row.text(3)) + "\n";
          return true;
        });
  }));
  EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << plan;
  EXPECT_EQ(plan.find("SCAN"), std::string::npos) << plan;
}

TEST_F(HistoryTest, ADeletedContainerIsRestored) {
  settings.containers_kept = 3 * kDay;
  ASSERT_TRUE(put_blob("x", "one"));
  snapshot("x");
  const auto find = [&] {
    const auto page = run_task(blobs->list_containers("site1", {.deleted = true}));
    std::vector<Info> gone;
    for (const Info& info : page->items)
      if (info.deleted != WallTime()) gone.push_back(info);
    return gone;
  };
  const auto restore = [&](const std::string& to, const Info& info) {
    return reason_of(run_task(History(*blobs).restore_container("site1", to, "c", info.deleted)));
  };
  ASSERT_TRUE(run_task(blobs->delete_container("site1", "c", {})));
  EXPECT_EQ(bytes("x"), "container_not_found");
  make_container("c");  // the name is free
  ASSERT_TRUE(put_blob("x", "other"));
  const auto gone = find();
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].name, "c");
  EXPECT_EQ(restore("c", gone[0]), "container_exists");
  ASSERT_TRUE(run_task(blobs->delete_container("site1", "c", {})));
  EXPECT_EQ(find().size(), 2u);
  EXPECT_EQ(restore("c", gone[0]), "");
  EXPECT_EQ(restore("c", gone[0]), "container_not_found");
  EXPECT_EQ(bytes("x"), "one");
  EXPECT_EQ(contents_after_sweep(), 2);
  clock.advance(3 * kDay);
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_TRUE(find().empty());
  EXPECT_EQ(list({.snapshots = true}), "x:s x");
  EXPECT_EQ(contents_after_sweep(), 1);
  settings = {};
  ASSERT_TRUE(run_task(blobs->delete_container("site1", "c", {})));
  EXPECT_EQ(contents_after_sweep(), 0);
  EXPECT_EQ(rows("SELECT count(*) FROM blob_history"), "0\n");
}

}  // namespace
}  // namespace holdfast::blob
