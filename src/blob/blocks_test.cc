// Block lists: which bytes a list means, and what becomes of the blocks that it does not name.
#include <gtest/gtest.h>

#include "blob/shared_blocks.h"
#include "blob/testing.h"

namespace holdfast::blob {
namespace {

constexpr auto kWeek = std::chrono::hours(7 * 24);

std::string described(const std::vector<Block>& blocks) {
  std::string out;
  for (const Block& block : blocks)
    out += (out.empty() ? "" : " ") + block.id + ":" + std::to_string(block.size);
  return out;
}

struct BlockDomain : testing::Test, TestBlobs {
  void put(std::string name, std::vector<std::pair<std::string, std::string>> blocks) {
    for (const auto& [id, bytes] : blocks) ASSERT_TRUE(put_block(name, id, bytes)) << id;
  }
  std::string committed(std::string name) {
    const auto lists = run_task(blobs->block_lists(key(std::move(name))));
    return lists ? described(lists->committed) : reason_of(lists);
  }
  std::string uncommitted(std::string name) {
    const auto lists = run_task(blobs->block_lists(key(std::move(name))));
    return lists ? described(lists->uncommitted) : reason_of(lists);
  }
};

TEST_F(BlockDomain, BlocksAloneMakeNoBlob) {
  put("x", {{"BBBB", "second"}, {"AAAA", "first"}});
  EXPECT_EQ(bytes("x"), "blob_not_found");
  const auto lists = run_task(blobs->block_lists(key("x")));
  ASSERT_TRUE(lists);
  EXPECT_EQ(lists->blob.etag, 0u);
  EXPECT_EQ(described(lists->committed), "");
  EXPECT_EQ(described(lists->uncommitted), "AAAA:5 BBBB:6");
  EXPECT_TRUE(run_task(blobs->list_blobs("site1", "c", {}))->items.empty());
  EXPECT_EQ(reason_of(run_task(blobs->block_lists(key("y")))), "blob_not_found");
}

TEST_F(BlockDomain, TheListDecidesOrderAndRepetition) {
  put("x", {{"AAAA", text(1000, 'a')}, {"BBBB", text(2000, 'b')}, {"CCCC", text(3000, 'c')}});
  NewBlob wanted;
  wanted.headers = {{"Content-Type", "a/b"}};
  wanted.metadata = {{"m", "1"}};
  const auto made = run_task(blobs->put_block_list(
      key("x"),
      {{BlockRef::uncommitted, "CCCC"}, {BlockRef::latest, "AAAA"}, {BlockRef::latest, "CCCC"}},
      wanted, {}));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->size, 7000u);
  EXPECT_EQ(bytes("x"), text(3000, 'c') + text(1000, 'a') + text(3000, 'c'));
  EXPECT_EQ(info("x")->headers, (Pairs{{"Content-Type", "a/b"}}));
  EXPECT_EQ(info("x")->metadata, (Pairs{{"m", "1"}}));
  EXPECT_EQ(committed("x"), "CCCC:3000 AAAA:1000 CCCC:3000");
  EXPECT_EQ(uncommitted("x"), "") << "the block that was not named is gone too";
  uint64_t freed = 0;
  EXPECT_EQ(contents_after_sweep(&freed), 3) << "two blocks and their list";
  EXPECT_EQ(freed, 2000u);
  EXPECT_EQ(bytes("x"), text(3000, 'c') + text(1000, 'a') + text(3000, 'c'));
}

TEST_F(BlockDomain, EachKindOfReferenceMeansItsOwnBlocks) {
  constexpr std::string_view bad = "invalid_block_list";
  const std::tuple<BlockRef::Kind, const char*, std::string_view> rows[] = {
      {BlockRef::committed, "AAAA", "old a"}, {BlockRef::uncommitted, "AAAA", "new a"},
      {BlockRef::latest, "AAAA", "new a"},    {BlockRef::committed, "BBBB", "old b"},
      {BlockRef::uncommitted, "BBBB", bad},   {BlockRef::latest, "BBBB", "old b"},
      {BlockRef::committed, "CCCC", bad},     {BlockRef::uncommitted, "CCCC", "new c"},
      {BlockRef::latest, "CCCC", "new c"},    {BlockRef::committed, "DDDD", bad},
      {BlockRef::uncommitted, "DDDD", bad},   {BlockRef::latest, "DDDD", bad},
      {BlockRef::latest, "aaaa", bad}};
  for (const auto& [kind, id, expected] : rows) {
    ASSERT_TRUE(put_blob("x", "none"));  // no blocks
    put("x", {{"AAAA", "old a"}, {"BBBB", "old b"}});
    ASSERT_TRUE(put_list("x", {{BlockRef::latest, "AAAA"}, {BlockRef::latest, "BBBB"}}));
    put("x", {{"AAAA", "new a"}, {"CCCC", "new c"}});
    const std::string before = everything();
    const auto made = put_list("x", {{kind, id}});
    EXPECT_EQ(made ? bytes("x") : reason_of(made), expected) << kind << " " << id;
    if (!made) {
      EXPECT_EQ(everything(), before) << "a list with one wrong block changes nothing";
    }
  }
}

TEST_F(BlockDomain, AListMayReuseWhatIsCommitted) {
  put("x", {{"AAAA", text(1000, 'a')}, {"BBBB", text(2000, 'b')}});
  ASSERT_TRUE(put_list("x", {{BlockRef::latest, "AAAA"}, {BlockRef::latest, "BBBB"}}));
  put("x", {{"CCCC", text(3000, 'c')}});
  ASSERT_TRUE(put_list("x", {{BlockRef::committed, "BBBB"}, {BlockRef::uncommitted, "CCCC"}}));
  uint64_t freed = 0;
  EXPECT_EQ(contents_after_sweep(&freed), 3);
  EXPECT_EQ(freed, 1000u) << "of the first list, the block that the second does not name";
  EXPECT_EQ(bytes("x"), text(2000, 'b') + text(3000, 'c'));
  EXPECT_EQ(committed("x"), "BBBB:2000 CCCC:3000");
}

TEST_F(BlockDomain, ABlockPutAgainReplacesTheFirst) {
  put("x", {{"AAAA", text(1000, 'a')}, {"AAAA", text(10, 'b')}});
  EXPECT_EQ(uncommitted("x"), "AAAA:10");
  uint64_t freed = 0;
  EXPECT_EQ(contents_after_sweep(&freed), 1);
  EXPECT_EQ(freed, 1000u);
  ASSERT_TRUE(put_list("x", {{BlockRef::latest, "AAAA"}}));
  EXPECT_EQ(bytes("x"), text(10, 'b'));
}

TEST_F(BlockDomain, AnEmptyListMakesAnEmptyBlob) {
  put("x", {{"AAAA", text(1000, 'a')}});
  const auto made = put_list("x", {});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->size, 0u);
  EXPECT_EQ(bytes("x"), "");
  EXPECT_EQ(committed("x"), "");
  uint64_t freed = 0;
  (void)contents_after_sweep(&freed);
  EXPECT_EQ(freed, 1000u);
}

TEST_F(BlockDomain, PutBlobDropsCommittedAndUncommittedBlocks) {
  put("x", {{"AAAA", text(1000, 'a')}});
  ASSERT_TRUE(put_list("x", {{BlockRef::latest, "AAAA"}}));
  put("x", {{"BBBB", text(2000, 'b')}});
  put("other", {{"BBBB", text(10, 'b')}});
  ASSERT_TRUE(put_blob("x", "whole"));
  EXPECT_EQ(committed("x"), "");
  EXPECT_EQ(uncommitted("x"), "");
  EXPECT_EQ(uncommitted("other"), "BBBB:10");
  uint64_t freed = 0;
  EXPECT_EQ(contents_after_sweep(&freed), 2);
  EXPECT_EQ(freed, 3000u);
}

TEST_F(BlockDomain, ADeletedBlobLeavesNoCommittedBlocks) {
  put("x", {{"AAAA", text(1000, 'a')}});
  ASSERT_TRUE(put_list("x", {{BlockRef::latest, "AAAA"}}));
  ASSERT_TRUE(delete_blob("x"));
  EXPECT_EQ(committed("x"), "blob_not_found");
  EXPECT_EQ(contents_after_sweep(), 0);
  put("x", {{"BBBB", "new"}});
  EXPECT_EQ(reason_of(put_list("x", {{BlockRef::latest, "AAAA"}})), "invalid_block_list");
  EXPECT_TRUE(put_list("x", {{BlockRef::latest, "BBBB"}}));
}

TEST_F(BlockDomain, BytesAreSharedWhereTheyAreOneStoredContent) {
  const std::string a = text(100, 'a'), b = text(50, 'b'), c = text(50, 'c');
  put("from", {{"a", a}, {"b", b}, {"c", c}});
  ASSERT_TRUE(put_list(
      "from", {{BlockRef::latest, "a"}, {BlockRef::latest, "b"}, {BlockRef::latest, "c"}}));
  ASSERT_TRUE(put_blob("plain", a));
  const std::string contents = rows("SELECT count(*) FROM content");
  struct Row {
    const char* from;
    uint64_t first, size;
    bool fits;
    uint64_t etag = 0;  // 0: that of the blob
  };
  const Row table[] = {{"from", 0, 100, true},      {"from", 100, 50, true},
                       {"from", 150, 50, true},     {"from", 0, 200, false},
                       {"from", 100, 49, false},    {"from", 99, 50, false},
                       {"from", 150, 50, false, 7}, {"plain", 0, 100, true},
                       {"plain", 0, 99, false},     {"none", 0, 100, false, 7}};
  std::vector<BlockRef> list;
  for (const Row& row : table) {
    const std::string id = "id" + std::to_string(list.size());
    const uint64_t etag = row.etag != 0 ? row.etag : info(row.from)->etag;
    const SharedBytes bytes(key(row.from), etag, {row.first, row.first + row.size - 1});
    EXPECT_EQ(*run_task(can_share(*blobs, bytes)), row.fits) << row.from << " " << row.first;
    EXPECT_EQ(*run_task(share_block(*blobs, key("to"), id, bytes, {})), row.fits);
    if (row.fits) list.push_back({BlockRef::latest, id});
  }
  EXPECT_EQ(rows("SELECT count(*) FROM content"), contents);
  ASSERT_TRUE(put_list("to", list));
  ASSERT_TRUE(delete_blob("from"));
  ASSERT_TRUE(delete_blob("plain"));
  EXPECT_EQ(contents_after_sweep(), 5);  // of four blocks, and their list
  EXPECT_EQ(bytes("to"), a + b + c + a);
  ASSERT_TRUE(delete_blob("to"));
  EXPECT_EQ(contents_after_sweep(), 0);
}

TEST_F(BlockDomain, SweepDropsWhatWasNotCommittedWithinAWeek) {
  put("done", {{"AAAA", text(100, 'a')}});
  ASSERT_TRUE(put_list("done", {{BlockRef::latest, "AAAA"}}));
  const store::StagedContent shared = stage(text(10, 'a'));
  for (int i = 0; i < 501; ++i)  // more than one group of the sweep
    ASSERT_TRUE(run_task(blobs->put_block(key("x"), std::to_string(1000 + i), shared, {})));
  clock.advance(std::chrono::nanoseconds(1));
  put("x", {{"YYYY", text(20, 'y')}});
  clock.advance(kWeek);  // YYYY has had it to the moment, the others are beyond it
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(uncommitted("x"), "YYYY:20");
  EXPECT_EQ(contents_after_sweep(), 3) << "the young block, the committed one and its list";
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(uncommitted("x"), "YYYY:20");
  clock.advance(std::chrono::nanoseconds(1));
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(uncommitted("x"), "blob_not_found");
  EXPECT_EQ(bytes("done"), text(100, 'a'));
}

TEST_F(BlockDomain, ASweepOfNothingWritesNothing) {
  put("x", {{"AAAA", "young"}});
  const std::string before = everything();
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(everything(), before);
}

}  // namespace
}  // namespace holdfast::blob
