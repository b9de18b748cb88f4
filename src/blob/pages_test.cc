#include "blob/pages.h"

#include <gtest/gtest.h>

#include "blob/contents.h"
#include "blob/testing.h"

namespace holdfast::blob {
namespace {

struct Pages : testing::Test, TestBlobs {
  Result<Info> make(std::string name, uint64_t size, Conditions conditions = {}) {
    NewBlob wanted;
    wanted.type = BlobType::page;
    wanted.sequence = 5;
    return run_task(PageBlobs(*blobs).create(key(std::move(name)), size, wanted, conditions));
  }
  static Range pages(uint64_t first, uint64_t count) {
    return Range{first * kPage, (first + count) * kPage - 1};
  }
  Result<Info> write(std::string name, uint64_t first, const std::string& bytes,
                     Conditions conditions = {}, PageConditions sequence = {}) {
    return run_task(PageBlobs(*blobs).write(key(std::move(name)),
                                            pages(first, bytes.size() / kPage), stage(bytes),
                                            std::move(conditions), sequence));
  }
  Result<Info> clear(std::string name, uint64_t first, uint64_t count) {
    return run_task(
        PageBlobs(*blobs).write(key(std::move(name)), pages(first, count), std::nullopt, {}, {}));
  }
  Result<Info> change(std::string name, PageChange change) {
    return run_task(PageBlobs(*blobs).change(key(std::move(name)), std::move(change), {}));
  }
  // "first+count" pages of each.
  std::string ranges(std::string name, Range range = {}) {
    const auto found = run_task(PageBlobs(*blobs).ranges(key(std::move(name)), range, 100, {}));
    if (!found) return reason_of(found);
    std::string out;
    for (const auto& item : found->written.items)
      out += std::to_string(item.first / kPage) + "+" + std::to_string(item.size / kPage) + " ";
    return out;
  }
};

TEST_F(Pages, AreWrittenInPlaceOfOneAnother) {
  const auto made = make("disk", 8 * kPage);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->sequence, 5);
  std::string wanted(8 * kPage, '\0');
  EXPECT_EQ(bytes("disk"), wanted);
  const auto written = write("disk", 2, text(3 * kPage, 'a'));
  ASSERT_TRUE(written);
  EXPECT_GT(written->etag, made->etag);
  wanted.replace(2 * kPage, 3 * kPage, text(3 * kPage, 'a'));
  EXPECT_EQ(bytes("disk"), wanted);
  ASSERT_TRUE(write("disk", 3, text(kPage, 'z')));
  ASSERT_TRUE(clear("disk", 4, 2));
  wanted.replace(3 * kPage, kPage, text(kPage, 'z'));
  wanted.replace(4 * kPage, kPage, std::string(kPage, '\0'));
  EXPECT_EQ(bytes("disk"), wanted);
  restart();
  EXPECT_EQ(bytes("disk"), wanted);
  EXPECT_EQ(ranges("disk"), "2+2 ");
  EXPECT_EQ(ranges("disk", pages(3, 9)), "3+1 ");
  EXPECT_EQ(ranges("disk", pages(8, 1)), "invalid_range");
  ASSERT_TRUE(delete_blob("disk"));
  EXPECT_EQ(contents_after_sweep(), 0);
}

TEST_F(Pages, AWriteCostsItsPages) {
  ASSERT_TRUE(make("disk", 1ull << 40));
  ASSERT_TRUE(write("disk", 1u << 30, text(4 * kPage, 'a')));
  ASSERT_TRUE(write("disk", 0, text(kPage, 'b')));
  EXPECT_EQ(rows("SELECT size FROM content WHERE kind < 3 ORDER BY size"), "512\n2048\n");
  EXPECT_EQ(info("disk")->size, 1ull << 40);
}

TEST_F(Pages, AReaderAndACopyKeepWhatTheyHave) {
  ASSERT_TRUE(make("disk", 4 * kPage));
  ASSERT_TRUE(write("disk", 0, text(4 * kPage, 'a')));
  const auto open = run_task(blobs->open_blob(key("disk"), {}));
  ASSERT_TRUE(run_task(blobs->copy_blob(key("copy"), key("disk"), {}, {}, {})));
  ASSERT_TRUE(write("disk", 1, text(kPage, 'z')));
  contents_after_sweep();
  EXPECT_EQ(read(open->content), text(4 * kPage, 'a'));
  EXPECT_EQ(bytes("copy"), text(4 * kPage, 'a'));
  EXPECT_EQ(info("copy")->type, BlobType::page);
  EXPECT_EQ(info("copy")->sequence, 5);
  ASSERT_TRUE(write("copy", 0, text(kPage, 'y')));
  std::string wanted = text(4 * kPage, 'a');
  wanted.replace(kPage, kPage, text(kPage, 'z'));
  EXPECT_EQ(bytes("disk"), wanted);
  ASSERT_TRUE(delete_blob("disk"));
  ASSERT_TRUE(delete_blob("copy"));
  EXPECT_EQ(contents_after_sweep(), 0);
}

TEST_F(Pages, ARangeIsReadWithoutTheRest) {
  ASSERT_TRUE(make("disk", 1ull << 40));
  ASSERT_TRUE(write("disk", 9, text(kPage, 'a')));
  const auto open = run_task(blobs->open_blob(key("disk"), {}, Range{9 * kPage + 100, 10 * kPage}));
  ASSERT_TRUE(open);
  EXPECT_EQ(read(open->content, 9 * kPage + 100, 413), text(kPage, 'a').substr(100) + '\0');
}

TEST_F(Pages, Conditions) {
  ASSERT_TRUE(make("disk", 4 * kPage));
  const std::string page = text(kPage, 'a');
  const auto sequence = [&](PageConditions wanted) {
    return reason_of(write("disk", 0, page, {}, wanted));
  };
  EXPECT_EQ(sequence({.at_most = 5}), "");
  EXPECT_EQ(sequence({.at_most = 4}), "sequence_number");
  EXPECT_EQ(sequence({.below = 6}), "");
  EXPECT_EQ(sequence({.below = 5}), "sequence_number");
  EXPECT_EQ(sequence({.equal = 5}), "");
  EXPECT_EQ(sequence({.equal = 6}), "sequence_number");
  EXPECT_EQ(reason_of(write("disk", 0, page, if_match(1))), "condition_not_met");
  EXPECT_EQ(reason_of(write("disk", 4, page)), "invalid_page_range");
  EXPECT_EQ(reason_of(write("disk", 3, page + page)), "invalid_page_range");
  EXPECT_EQ(reason_of(clear("disk", 0, 5)), "invalid_page_range");
  EXPECT_EQ(reason_of(write("none", 0, page)), "blob_not_found");
  ASSERT_TRUE(put_blob("block", page));
  EXPECT_EQ(reason_of(write("block", 0, page)), "invalid_blob_type");
  EXPECT_EQ(reason_of(change("block", {})), "invalid_blob_type");
  EXPECT_EQ(ranges("block"), "invalid_blob_type");
  EXPECT_EQ(reason_of(put_block("disk", "AAAA", "x")), "invalid_blob_type");
  EXPECT_EQ(reason_of(make("disk", 0, if_none_match(Conditions::kAny))), "blob_exists");
}

TEST_F(Pages, ResizedAndNumbered) {
  ASSERT_TRUE(make("disk", 4 * kPage));
  ASSERT_TRUE(write("disk", 0, text(4 * kPage, 'a')));
  PageChange smaller, larger;
  smaller.size = 2 * kPage;
  larger.size = 6 * kPage;
  ASSERT_TRUE(change("disk", smaller));
  EXPECT_EQ(bytes("disk"), text(2 * kPage, 'a'));
  ASSERT_TRUE(change("disk", larger));
  EXPECT_EQ(bytes("disk"), text(2 * kPage, 'a') + std::string(4 * kPage, '\0'))
      << "what was cut off does not come back";
  EXPECT_EQ(ranges("disk"), "0+2 ");
  const auto numbered = [&](PageChange::Action action, int64_t number) {
    PageChange wanted;
    wanted.action = action;
    wanted.sequence = number;
    return change("disk", wanted)->sequence;
  };
  EXPECT_EQ(numbered(PageChange::max, 3), 5);
  EXPECT_EQ(numbered(PageChange::max, 9), 9);
  EXPECT_EQ(numbered(PageChange::update, 2), 2);
  EXPECT_EQ(numbered(PageChange::increment, 0), 3);
  EXPECT_EQ(numbered(PageChange::update, INT64_MAX), INT64_MAX);
  EXPECT_EQ(numbered(PageChange::increment, 0), INT64_MAX);
}

TEST_F(Pages, AWriteThatFailsLeavesNothing) {
  ASSERT_TRUE(make("disk", 4 * kPage));
  ASSERT_TRUE(write("disk", 0, text(2 * kPage, 'a')));
  const std::string before = everything() + rows("SELECT * FROM content_stretch");
  failing_objects->fail_next(Error(Code::unavailable, "full"));
  EXPECT_FALSE(write("disk", 1, text(kPage, 'z')));
  failing_database->fail_next(Error(Code::internal, "no commit"));
  EXPECT_FALSE(write("disk", 1, text(kPage, 'z')));
  EXPECT_EQ(everything() + rows("SELECT * FROM content_stretch"), before);
  EXPECT_EQ(bytes("disk"), text(2 * kPage, 'a') + std::string(2 * kPage, '\0'));
}

TEST_F(Pages, NothingElseHoldsThem) {
  ASSERT_TRUE(make("disk", kPage));
  auto held = [](store::Tx& tx) { return contents_under(tx, "site1", "c", "", 10); };
  EXPECT_EQ(run_task(database->read(std::move(held))).error().code(), Code::unsupported);
}

}  // namespace
}  // namespace holdfast::blob
