#include "answers/batches.h"

#include <gtest/gtest.h>

namespace holdfast::answers {
namespace {

using std::chrono::seconds;

class BatchesTest : public ::testing::Test {
 protected:
  BatchesTest() {
    store::SqliteOptions options;
    options.path = ":memory:";
    database_ = std::move(*store::open_sqlite(options));
    EXPECT_TRUE(migrate_batches(*database_));
  }

  template <class F>
  auto tx(F work) {
    return run_task(database_->write(std::move(work)));
  }
  void add(const std::string& event, size_t bytes = 4, int64_t side = 4) {
    NewRow row;
    row.transform = "digits";
    row.recipe_sha256 = "abc";
    row.type = transform::Type::uint8;
    row.shape = {side};
    row.row = {event, event + ".png", "ff", 8, 9, Bytes(bytes, std::byte{7})};
    ASSERT_TRUE(tx([row, now = clock_.now()](store::Tx& t) { return add_row(t, row, now); }));
  }
  std::optional<uint64_t> plan() {
    auto planned =
        tx([this](store::Tx& t) { return plan_batch(t, "digits", limits_, clock_.now()); });
    EXPECT_TRUE(planned) << planned.error().message();
    return *planned;
  }
  std::optional<transform::Batch> next() {
    auto batch = tx([](store::Tx& t) { return next_batch(t, "digits"); });
    EXPECT_TRUE(batch) << batch.error().message();
    return *batch;
  }
  void finish(uint64_t sequence) {
    ASSERT_TRUE(tx([sequence](store::Tx& t) { return finish_batch(t, "digits", sequence); }));
  }
  BatchCounts counts() {
    return *tx([](store::Tx& t) { return count_batches(t, "digits"); });
  }

  std::unique_ptr<store::Database> database_;
  FakeClock clock_;
  BatchLimits limits_{3, std::chrono::milliseconds(10000), 100};
};

TEST_F(BatchesTest, ABatchClosesWithEnoughRows) {
  add("a");
  add("b");
  EXPECT_EQ(plan(), std::nullopt);
  EXPECT_EQ(next(), std::nullopt);
  add("c");
  add("d");
  EXPECT_EQ(plan(), 1u);
  const auto batch = next();
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->rows.size(), 3u);
  EXPECT_EQ(batch->sequence, 1u);
  EXPECT_EQ(batch->row_shape, (std::vector<int64_t>{4}));
  EXPECT_EQ(batch->type, transform::Type::uint8);
  EXPECT_EQ(batch->recipe_sha256, "abc");
  EXPECT_EQ(batch->created, clock_.now());
  EXPECT_EQ(batch->rows[2].event, "c");
  EXPECT_EQ(batch->rows[2].file, "c.png");
  EXPECT_EQ(batch->rows[2].height, 9u);
  EXPECT_EQ(batch->rows[2].data, Bytes(4, std::byte{7}));
  EXPECT_EQ(counts().waiting, 4u);
  finish(1);
  finish(1);  // again: a kill after the files, before the mark
  EXPECT_EQ(next(), std::nullopt);
  EXPECT_EQ(counts().waiting, 1u);
  EXPECT_EQ(counts().batches, 1u);
  EXPECT_EQ(counts().rows, 3u);
}

TEST_F(BatchesTest, OrWithTime) {
  add("a");
  clock_.advance(seconds(9));
  EXPECT_EQ(plan(), std::nullopt);
  clock_.advance(seconds(1));
  EXPECT_EQ(plan(), 1u);
  EXPECT_EQ(plan(), std::nullopt);
}

TEST_F(BatchesTest, TheSamePlanUntilItIsFinished) {
  for (const char* event : {"a", "b", "c"}) add(event);
  EXPECT_EQ(plan(), 1u);
  const auto first = next(), second = next();
  EXPECT_EQ(transform::batch_manifest(*first), transform::batch_manifest(*second));
  for (const char* event : {"d", "e", "f"}) add(event);
  EXPECT_EQ(plan(), 2u);
  EXPECT_EQ(next()->sequence, 1u) << "the oldest first";
  finish(1);
  EXPECT_EQ(next()->sequence, 2u);
}

TEST_F(BatchesTest, AnEventHasOneRowAlsoAfterItsBatch) {
  for (const char* event : {"a", "a", "b", "c"}) add(event);
  EXPECT_EQ(counts().waiting, 3u);
  EXPECT_EQ(plan(), 1u);
  finish(1);
  add("a");
  EXPECT_EQ(counts().waiting, 0u);
}

TEST_F(BatchesTest, UnlikeRowsAndLargeOnesCloseABatch) {
  add("a");
  add("b", 8, 8);
  EXPECT_EQ(plan(), 1u) << "another shape follows";
  EXPECT_EQ(next()->rows.size(), 1u);
  finish(1);
  add("c", 96, 8);
  EXPECT_EQ(plan(), 2u) << "the bytes of both are over the limit";
  EXPECT_EQ(next()->rows[0].event, "b");
  finish(2);
  clock_.advance(seconds(10));
  EXPECT_EQ(plan(), 3u);
}

TEST_F(BatchesTest, TransformsKeepApart) {
  add("a");
  clock_.advance(seconds(10));
  auto planned = tx([this](store::Tx& t) { return plan_batch(t, "other", limits_, clock_.now()); });
  EXPECT_EQ(*planned, std::nullopt);
  auto waiting = tx([](store::Tx& t) { return count_waiting(t, "digits"); });
  EXPECT_EQ(waiting->rows, 1u);
  EXPECT_EQ(waiting->oldest, clock_.now() - seconds(10));
}

}  // namespace
}  // namespace holdfast::answers
