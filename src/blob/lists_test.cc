// Listings in pages, held against a listing that is made the plain way from all names.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "blob/contents.h"
#include "blob/lists.h"
#include "blob/testing.h"

namespace holdfast::blob {
namespace {

using Names = std::vector<std::string>;

// In the order of their bytes: '/' is before '0', and all of UTF-8 after ASCII.
const Names kNames = {"a",      "a-b",   "a/",      "a/1",    "a/2",       "a/b/1",   "a/b/2",
                      "a0",     "b--x",  "b--y--z", "b-x",    "c/d/e/f",   "c/d/e/g", "z",
                      "\x7f/1", "ä/ö/1", "ä/ö/2",   "日本/1", "日本/語/2", "日本語"};

// Every entry of the listing in its order; a prefix ends in '>'.
Names plain_listing(const std::string& prefix, const std::string& delimiter) {
  Names out;
  for (const std::string& name : std::set<std::string>(kNames.begin(), kNames.end())) {
    if (!name.starts_with(prefix)) continue;
    const size_t cut = delimiter.empty() ? std::string::npos : name.find(delimiter, prefix.size());
    std::string entry = name;
    if (cut != std::string::npos) entry = name.substr(0, cut + delimiter.size()) + ">";
    if (out.empty() || out.back() != entry) out.push_back(std::move(entry));
  }
  return out;
}

struct Listings : testing::Test, TestBlobs {
  void SetUp() override {
    const store::StagedContent content = stage("x");
    for (const std::string& name : kNames)
      ASSERT_TRUE(run_task(blobs->put_blob(key(name), content, {}, {}, {})));
    // Names that a walk too far would find.
    make_container("d");
    ASSERT_TRUE(run_task(blobs->put_blob(BlobKey("site1", "d", "a/3"), content, {}, {}, {})));
  }
  Result<Page> page(std::string prefix, std::string delimiter, std::string marker, size_t limit) {
    ListQuery query;
    query.prefix = std::move(prefix);
    query.delimiter = std::move(delimiter);
    query.marker = std::move(marker);
    query.limit = limit;
    return run_task(blobs->list_blobs("site1", "c", std::move(query)));
  }
  // All pages, one behind the other.
  Names paged(const std::string& prefix, const std::string& delimiter, size_t limit) {
    Names all;
    std::string marker;
    for (size_t pages = 0; pages <= kNames.size(); ++pages) {
      const auto got = page(prefix, delimiter, marker, limit);
      EXPECT_TRUE(got);
      Names entries;
      for (const Info& item : got->items) entries.push_back(item.name);
      for (const std::string& common : got->prefixes) entries.push_back(common + ">");
      std::ranges::sort(entries, {}, [](std::string entry) {
        if (entry.ends_with(">")) entry.pop_back();
        return entry;
      });
      EXPECT_TRUE(got->next.empty() ? entries.size() <= limit : entries.size() == limit);
      all.insert(all.end(), entries.begin(), entries.end());
      if (got->next.empty()) return all;
      EXPECT_GT(got->next, marker) << "a page that goes back would never end";
      marker = got->next;
    }
    ADD_FAILURE() << "there is no last page";
    return all;
  }
};

TEST_F(Listings, EveryPageSizeGivesTheSameListing) {
  for (const char* delimiter : {"", "/", "--", "b", "語"}) {
    for (const char* prefix :
         {"", "a", "a/", "a/b", "a/b/", "b", "c/d", "c/d/", "ä", "日本", "zz", "\x7f"}) {
      const Names expected = plain_listing(prefix, delimiter);
      for (size_t limit = 1; limit <= kNames.size() + 1; ++limit)
        EXPECT_EQ(paged(prefix, delimiter, limit), expected)
            << "prefix '" << prefix << "' delimiter '" << delimiter << "' limit " << limit;
    }
  }
}

TEST_F(Listings, ThePlainListingIsTheOneThatIsMeant) {
  EXPECT_EQ(plain_listing("a", "/"), (Names{"a", "a-b", "a/>", "a0"}));
  EXPECT_EQ(plain_listing("a/", "/"), (Names{"a/", "a/1", "a/2", "a/b/>"}));
  EXPECT_EQ(plain_listing("日本", "/"), (Names{"日本/>", "日本語"}));
  EXPECT_EQ(plain_listing("b", "--"), (Names{"b-->", "b-x"}));
}

TEST_F(Listings, AnItemIsTheWholeBlob) {
  ASSERT_TRUE(put_blob("full", "bytes", {}, {{"Content-Type", "a/b"}}, {{"m", "1"}}));
  const auto got = page("full", "/", "", 10);
  ASSERT_EQ(got->items.size(), 1u);
  const Info &listed = got->items[0], found = *info("full");
  EXPECT_EQ(listed.size, 5u);
  EXPECT_EQ(listed.etag, found.etag);
  EXPECT_EQ(listed.created, found.created);
  EXPECT_EQ(listed.modified, found.modified);
  EXPECT_EQ(listed.headers, found.headers);
  EXPECT_EQ(listed.metadata, found.metadata);
}

TEST_F(Listings, ABriefOneLeavesOutWhatOnlyAFullOneAsksForAndMixesNoRows) {
  make_container("e");
  const auto put = [this](std::string name, NewBlob wanted) {
    return run_task(
        blobs->put_blob(BlobKey("site1", "e", std::move(name)), stage("12"), wanted, {}));
  };
  NewBlob full;
  full.headers = {{"Content-Type", "a type that is long"}, {"Content-MD5", "a \"sum\""}};
  full.metadata = {{"m", "1"}};
  full.copy = {{"id", "2"}};
  full.tags = {{"t", "2"}, {"u", "3"}};
  full.type = BlobType::append;
  full.sealed = true;
  full.sequence = 7;
  full.expiry = clock.now() + std::chrono::hours(1);
  full.tier = "Cool";
  for (const char* name : {"a", "c"}) ASSERT_TRUE(put(name, full));
  ASSERT_TRUE(put("b", {}));
  NewBlob archived;
  archived.tier = "Archive";
  ASSERT_TRUE(put("d", archived));
  ASSERT_TRUE(put("e", {}));
  LeaseRequest lease;
  lease.proposed = "8c9f0000-0000-0000-0000-00000000000a";
  ASSERT_TRUE(run_task(blobs->lease_blob(BlobKey("site1", "e", "a"), lease, {})));
  ASSERT_TRUE(database->write_now([](store::Tx& tx) -> Result<void> {
    TRY_VOID(tx.run(
        "INSERT INTO rehydration SELECT id, 'd', 'Hot', 1, 0 FROM container WHERE name = 'e'"));
    return {};
  }));
  ListQuery query;
  const auto whole = run_task(blobs->list_blobs("site1", "e", query));
  query.brief = true;
  const auto brief = run_task(blobs->list_blobs("site1", "e", query));
  ASSERT_EQ(brief->items.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    const Info &is = brief->items[i], &has = whole->items[i];
    EXPECT_EQ(is.name, has.name);
    EXPECT_EQ(is.size, has.size);
    EXPECT_EQ(is.created, has.created);
    EXPECT_EQ(is.modified, has.modified);
    EXPECT_EQ(is.etag, has.etag);
    EXPECT_EQ(is.headers, has.headers);
    EXPECT_EQ(is.tags, has.tags);
    EXPECT_EQ(is.type, has.type);
    EXPECT_EQ(is.sealed, has.sealed);
    EXPECT_EQ(is.sequence, has.sequence);
    EXPECT_EQ(is.expiry, has.expiry);
    EXPECT_EQ(is.tier, has.tier);
    EXPECT_EQ(is.lease.id, has.lease.id);
    EXPECT_EQ(is.rehydration.to, has.rehydration.to);
    EXPECT_EQ(is.metadata, has.metadata);
    EXPECT_EQ(has.copy.empty(), !(i == 0 || i == 2));
    EXPECT_TRUE(is.copy.empty());
  }
  // The rows one by one, none of which is taken away: the next has nothing of the last.
  std::vector<Info> told;
  ASSERT_TRUE(database->write_now([&](store::Tx& tx) -> Result<void> {
    Listing to;
    to.blob = [&told](const Info& info) { told.push_back(info); };
    TRY_VOID(tell_blobs(tx, "site1", "e", query, clock.now(), to));
    return {};
  }));
  ASSERT_EQ(told.size(), 5u);
  EXPECT_EQ(told[0].lease.id, lease.proposed);
  EXPECT_EQ(told[2].headers, full.headers);
  EXPECT_EQ(told[3].rehydration.to, "Hot");
  for (const size_t i : {1, 4}) {
    EXPECT_TRUE(told[i].headers.empty() && told[i].metadata.empty() && told[i].tags.empty() &&
                told[i].tier.empty())
        << i;
    EXPECT_TRUE(told[i].lease.id.empty() && told[i].rehydration.to.empty()) << i;
    EXPECT_TRUE(!told[i].sealed && told[i].sequence == 0 && told[i].expiry == WallTime()) << i;
  }
}

TEST_F(Listings, APageMarkHoldsWhenItsBlobIsDeleted) {
  const auto first = page("", "", "", 3);
  ASSERT_EQ(first->next, "a/1");
  ASSERT_TRUE(delete_blob("a/1"));
  ASSERT_TRUE(put_blob("a/11", "new"));
  const auto second = page("", "", first->next, 2);
  ASSERT_EQ(second->items.size(), 2u);
  EXPECT_EQ(second->items[0].name, "a/11");
  EXPECT_EQ(second->items[1].name, "a/2");
}

TEST_F(Listings, AMarkBeforeThePrefixBeginsAtThePrefix) {
  const auto got = page("c/", "", "a", 1);
  ASSERT_EQ(got->items.size(), 1u);
  EXPECT_EQ(got->items[0].name, "c/d/e/f");
  EXPECT_TRUE(page("a/", "", "c", 1)->items.empty());
}

TEST_F(Listings, ContainersByPrefixInPages) {
  for (const char* name : {"logs-1", "logs-2", "logs-3", "logt"}) make_container(name);
  ASSERT_TRUE(run_task(blobs->create_container("site2", "logs-0", {})));
  const auto names = [this](std::string prefix, size_t limit) {
    ListQuery query;
    query.prefix = std::move(prefix);
    query.limit = limit;
    Names all;
    do {
      const auto got = run_task(blobs->list_containers("site1", query));
      EXPECT_TRUE(got);
      EXPECT_LE(got->items.size(), limit);
      for (const Info& item : got->items) all.push_back(item.name);
      query.marker = got->next;
    } while (!query.marker.empty() && all.size() < 20);
    return all;
  };
  for (size_t limit = 1; limit <= 7; ++limit) {
    EXPECT_EQ(names("", limit), (Names{"c", "d", "logs-1", "logs-2", "logs-3", "logt"}));
    EXPECT_EQ(names("logs", limit), (Names{"logs-1", "logs-2", "logs-3"}));
    EXPECT_EQ(names("x", limit), Names());
  }
}

TEST_F(Listings, ContentsUnderAPrefixAreThoseOfItsBlobs) {
  const auto under = [this](std::string prefix, size_t limit) {
    auto work = [prefix, limit](store::Tx& tx) {
      return contents_under(tx, "site1", "c", prefix, limit);
    };
    return run_task(database->read(std::move(work)));
  };
  for (const char* prefix : {"", "a", "a/", "日本", "\x7f", "zz"}) {
    const auto held = under(prefix, 100);
    ASSERT_TRUE(held) << prefix;
    Names names;
    for (const HeldBlob& blob : *held) {
      names.push_back(blob.name);
      EXPECT_EQ(read(*find(blob.content)), "x");
      EXPECT_EQ(blob.size, 1u);
      EXPECT_EQ(blob.etag, info(blob.name)->etag);
    }
    EXPECT_EQ(names, plain_listing(prefix, "")) << prefix;
  }
  EXPECT_TRUE(under("a/", 5));
  EXPECT_EQ(under("a/", 4).error().code(), Code::too_large);
}

}  // namespace
}  // namespace holdfast::blob
