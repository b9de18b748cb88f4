#include "blob/finds.h"

#include <gtest/gtest.h>

#include "blob/testing.h"

namespace holdfast::blob {
namespace {

struct Finds : testing::Test, TestBlobs {
  void put(std::string container, std::string name, Pairs tags) {
    NewBlob wanted;
    wanted.tags = std::move(tags);
    const BlobKey at("site1", std::move(container), std::move(name));
    ASSERT_EQ(reason_of(run_task(blobs->put_blob(at, stage("x"), wanted, {}))), "");
  }
  // container/name of each match, through pages of this size.
  std::string find(std::string_view where, std::string container = {}, size_t limit = 5000) {
    FindQuery query;
    query.account = "site1";
    query.container = std::move(container);
    query.tests = parse_tag_filter(where, TagGrammar::find)->any_of.front();
    query.limit = limit;
    std::string out;
    do {
      const auto page = run_task(find_by_tags(*blobs, query));
      if (!page) return reason_of(page);
      EXPECT_LE(page->items.size(), limit);
      for (const FoundTagged& found : page->items) out += found.container + "/" + found.name + " ";
      query.marker = page->next;
    } while (!query.marker.empty());
    return out;
  }
};

TEST_F(Finds, WhatHasTheTags) {
  make_container("d");
  put("c", "a", {{"site", "north"}, {"day", "2026-01-01"}});
  put("c", "b", {{"site", "north"}, {"day", "2026-01-05"}});
  put("c", "plain", {});
  put("c", "z", {{"site", "south"}, {"day", "2026-01-09"}});
  put("d", "a", {{"site", "north"}, {"day", "2026-02-01"}});
  for (const size_t limit : {1u, 2u, 5000u}) {
    EXPECT_EQ(find("site='north'", "", limit), "c/a c/b d/a ");
    EXPECT_EQ(find("site='north'", "c", limit), "c/a c/b ");
    EXPECT_EQ(find("site='north' AND @container='d'", "", limit), "d/a ");
    EXPECT_EQ(find("site='north' AND day>='2026-01-05'", "", limit), "c/b d/a ");
    EXPECT_EQ(find("day>'2026-01-01' AND day<'2026-02-01'", "", limit), "c/b c/z ");
    EXPECT_EQ(find("day>='2026-01-01' AND day<='2026-02-01' AND site>='o'", "c", limit), "c/z ");
    EXPECT_EQ(find("site='east'", "", limit), "");
  }
  EXPECT_EQ(find("site='north' AND @container='none'"), "");
  EXPECT_EQ(find("site='north' AND @container='d'", "c"), "");
  EXPECT_EQ(find("site='north'", "none"), "container_not_found");
  EXPECT_EQ(find("@container='c'"), "invalid_tag_filter");
}

TEST_F(Finds, TheIndexFollowsEveryWrite) {
  put("c", "a", {{"k", "1"}});
  ASSERT_TRUE(run_task(blobs->set_tags(key("a"), {{"k", "2"}, {"other", ""}}, {})));
  EXPECT_EQ(find("k='1'"), "");
  EXPECT_EQ(find("k='2' AND other=''"), "c/a ");
  ASSERT_TRUE(run_task(blobs->copy_blob(key("copy"), key("a"), {}, {}, {})));
  EXPECT_EQ(find("k='2'"), "c/a ");
  put("c", "a", {});
  EXPECT_EQ(find("k='2'"), "");
  put("c", "a", {{"k", "3"}});
  put("c", "b", {{"k", "3"}});
  ASSERT_TRUE(delete_blob("a"));
  EXPECT_EQ(find("k='3'"), "c/b ");
  restart();
  EXPECT_EQ(find("k='3'"), "c/b ");
  ASSERT_TRUE(run_task(blobs->delete_container("site1", "c", {})));
  EXPECT_EQ(rows("SELECT count(*) FROM blob_tag"), "0\n");
}

TEST_F(Finds, AFailedWriteLeavesTheIndexAsItWas) {
  put("c", "a", {{"k", "1"}});
  failing_objects->fail_next(Error(Code::internal, "broken"));
  NewBlob wanted;
  wanted.tags = {{"k", "2"}};
  EXPECT_FALSE(run_task(blobs->put_blob(key("a"), stage("y"), wanted, {})));
  EXPECT_EQ(find("k='1'"), "c/a ");
  EXPECT_EQ(find("k='2'"), "");
}

// By the plan that the database itself tells: no table is walked from end to end.
TEST_F(Finds, CostsItsMatches) {
  for (const std::string sql :
       {"SELECT value, container, blob FROM blob_tag WHERE container = 1 AND key = 'k' AND (value, "
        "blob) >= ('a', 'b') ORDER BY value, blob",
        "SELECT value, container, blob FROM blob_tag WHERE account = 'site1' AND key = 'k' AND "
        "(value, container, blob) >= ('a', 1, 'b') ORDER BY value, container, blob"}) {
    std::string plan;
    ASSERT_TRUE(database->write_now([&](store::Tx& tx) {
      return tx.each("EXPLAIN QUERY PLAN " + sql, {}, [&](const store::Row& row) {
        plan += std::string(row.text(3)) + "\n";
        return true;
      });
    }));
    EXPECT_NE(plan.find("SEARCH"), std::string::npos) << plan;
    EXPECT_NE(plan.find("value"), std::string::npos) << plan;
    EXPECT_EQ(plan.find("SCAN"), std::string::npos) << plan;
    EXPECT_EQ(plan.find("B-TREE"), std::string::npos) << plan;
  }
}

TEST_F(Finds, ManyCandidatesOfWhichFewMatchAreReadInTurns) {
  ASSERT_TRUE(database->write_now([](store::Tx& tx) -> Result<void> {
    TRY_VOID(tx.run(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 24999) INSERT "
        "INTO blob_tag SELECT 1, 'all', printf('%05d', i), printf('b%05d', i), 'site1' FROM n"));
    TRY_VOID(
        tx.run("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 24999) "
               "INSERT INTO blob_tag SELECT 1, 'also', 'y', printf('b%05d', i), 'site1' FROM n"));
    return {};
  }));
  put("c", "b24999x", {{"all", "99999"}, {"also", "y"}});
  FindQuery query;
  query.account = "site1";
  query.tests = parse_tag_filter("all>='0' AND also='y'", TagGrammar::find)->any_of.front();
  size_t pages = 0, items = 0;
  do {
    const auto page = run_task(find_by_tags(*blobs, query));
    ASSERT_TRUE(page);
    items += page->items.size();
    query.marker = page->next;
    ASSERT_LT(++pages, 10u);
  } while (!query.marker.empty());
  EXPECT_EQ(pages, 3u);
  EXPECT_EQ(items, 1u);
}

TEST_F(Finds, AMarkerOfNoPageIsRefused) {
  FindQuery query;
  query.account = "site1";
  query.tests = parse_tag_filter("k='1'", TagGrammar::find)->any_of.front();
  for (const std::string marker :
       {"x", "0.0", "0.0.9.v", "7.0.0.", "0.-1.0.", "0..0.", "0.99999999999999999999.0."}) {
    query.marker = marker;
    EXPECT_EQ(reason_of(run_task(find_by_tags(*blobs, query))), "invalid_query") << marker;
  }
}

}  // namespace
}  // namespace holdfast::blob
