#include <gtest/gtest.h>

#include "blob/testing.h"

namespace holdfast::blob {
namespace {

struct Append : testing::Test, TestBlobs {
  void make(std::string name) {
    NewBlob wanted;
    wanted.type = BlobType::append;
    ASSERT_TRUE(run_task(blobs->put_blob(key(std::move(name)), stage(""), wanted, {})));
  }
  Result<Appended> append(std::string name, const std::string& bytes, AppendConditions where = {},
                          Conditions conditions = {}) {
    return run_task(
        blobs->append_block(key(std::move(name)), stage(bytes), std::move(conditions), where));
  }
};

TEST_F(Append, BlocksFollowOneAnotherAcrossEverySizeOfPart) {
  make("log");
  std::string all;
  for (uint32_t i = 0; i < 600; ++i) {
    const std::string line = std::to_string(i) + "\n";
    const auto done = append("log", line);
    ASSERT_TRUE(done) << i;
    ASSERT_EQ(done->offset, all.size());
    ASSERT_EQ(done->info.blocks, i + 1);
    all += line;
    if (i % 97 == 0 || i % 16 == 15) ASSERT_EQ(bytes("log"), all) << i;
    if (i % 101 == 0) contents_after_sweep();
  }
  EXPECT_EQ(bytes("log"), all);
  EXPECT_EQ(info("log")->size, all.size());
  restart();
  EXPECT_EQ(bytes("log"), all);
  EXPECT_LE(std::stoll(rows("SELECT count(*) FROM append_part")), 48);
  ASSERT_TRUE(delete_blob("log"));
  for (int i = 0; i < 6; ++i) contents_after_sweep();
  EXPECT_EQ(contents_after_sweep(), 0) << "each part is held exactly as often as it is used";
}

TEST_F(Append, WhatIsThereIsNotWrittenAgain) {
  make("log");
  ASSERT_TRUE(append("log", text(1 << 20, 'a')));
  ASSERT_TRUE(append("log", "b"));
  EXPECT_EQ(rows("SELECT size FROM content WHERE kind < 3 AND size > 0 ORDER BY size"),
            "1\n1048576\n");
}

TEST_F(Append, AReaderKeepsWhatItOpened) {
  make("log");
  ASSERT_TRUE(append("log", "one"));
  const auto open = run_task(blobs->open_blob(key("log"), {}));
  ASSERT_TRUE(open);
  ASSERT_TRUE(append("log", "two"));
  contents_after_sweep();
  EXPECT_EQ(read(open->content), "one");
  EXPECT_EQ(bytes("log"), "onetwo");
}

TEST_F(Append, ConditionsAndTypes) {
  make("log");
  ASSERT_TRUE(append("log", "12345"));
  AppendConditions at;
  at.position = 4;
  EXPECT_EQ(reason_of(append("log", "x", at)), "append_position");
  at.position = 5;
  EXPECT_EQ(reason_of(append("log", "x", at)), "");
  AppendConditions most;
  most.max_size = 7;
  EXPECT_EQ(reason_of(append("log", "xx", most)), "max_blob_size");
  EXPECT_EQ(reason_of(append("log", "x", most)), "");
  EXPECT_EQ(reason_of(append("none", "x")), "blob_not_found");
  ASSERT_TRUE(put_blob("block", "x"));
  EXPECT_EQ(reason_of(append("block", "x")), "invalid_blob_type");
  EXPECT_EQ(reason_of(put_block("log", "AAAA", "x")), "invalid_blob_type");
  EXPECT_EQ(reason_of(put_list("log", {})), "invalid_blob_type");
  EXPECT_EQ(reason_of(run_task(blobs->seal(key("log"), {}, at))), "append_position");
  EXPECT_EQ(reason_of(run_task(blobs->seal(key("log"), {}, {}))), "");
  EXPECT_TRUE(info("log")->sealed);
  EXPECT_EQ(reason_of(append("log", "x")), "blob_sealed");
  EXPECT_EQ(bytes("log"), "12345xx");
}

TEST_F(Append, FiftyThousandBlocksAndNoMore) {
  make("log");
  ASSERT_TRUE(append("log", "x"));
  rows("UPDATE blob SET blocks = 49999");
  EXPECT_EQ(reason_of(append("log", "y")), "");
  EXPECT_EQ(reason_of(append("log", "z")), "too_many_blocks");
  EXPECT_EQ(bytes("log"), "xy");
}

TEST_F(Append, OneThatFailsLeavesNothing) {
  make("log");
  for (int i = 0; i < 15; ++i) ASSERT_TRUE(append("log", "x"));
  const std::string before = everything();
  for (int step = 0; step < 4; ++step) {
    const store::StagedContent staged = stage("y");
    if (step % 2 == 0)
      failing_objects->fail_next(Error(Code::unavailable, "the disk is full"));
    else
      failing_database->fail_next(Error(Code::unavailable, "the disk is full"));
    EXPECT_FALSE(run_task(blobs->append_block(key("log"), staged, {}, {})));
    EXPECT_EQ(everything(), before);
  }
  ASSERT_TRUE(append("log", "y"));
  EXPECT_EQ(bytes("log"), std::string(15, 'x') + "y");
}

}  // namespace
}  // namespace holdfast::blob
