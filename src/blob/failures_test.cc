// What a failure below leaves behind: of a write nothing, and the next one goes through.
#include <gtest/gtest.h>

#include "blob/testing.h"

namespace holdfast::blob {
namespace {

const Error kFull(Code::unavailable, "test_full", "the disk is full");
const Error kBroken(Code::internal, "test_broken", "the disk is broken");

struct Call {
  const char* name;
  std::string (*run)(TestBlobs&);  // reason_of() what it returned
  bool uses_objects;
};

const Call kWrites[] = {
    {"create_container",
     [](TestBlobs& on) {
       return reason_of(run_task(on.blobs->create_container("site1", "n", {})));
     },
     false},
    {"set_container_metadata",
     [](TestBlobs& on) {
       return reason_of(run_task(on.blobs->set_container_metadata("site1", "c", {{"a", "1"}}, {})));
     },
     false},
    {"put_blob, new", [](TestBlobs& on) { return reason_of(on.put_blob("new", "bytes")); }, true},
    {"put_blob, over a blob", [](TestBlobs& on) { return reason_of(on.put_blob("x", "bytes")); },
     true},
    {"put_blob, over blocks", [](TestBlobs& on) { return reason_of(on.put_blob("y", "bytes")); },
     true},
    {"put_block, new", [](TestBlobs& on) { return reason_of(on.put_block("y", "CCCC", "c")); },
     true},
    {"put_block, again", [](TestBlobs& on) { return reason_of(on.put_block("y", "BBBB", "c")); },
     true},
    {"put_block_list",
     [](TestBlobs& on) {
       return reason_of(
           on.put_list("y", {{BlockRef::latest, "BBBB"}, {BlockRef::committed, "AAAA"}}));
     },
     true},
    {"set_properties",
     [](TestBlobs& on) {
       return reason_of(run_task(on.blobs->set_properties(
           TestBlobs::key("x"), Pairs{{"Content-Type", "a/b"}}, Pairs{{"m", "1"}}, {})));
     },
     false},
    {"delete_blob", [](TestBlobs& on) { return reason_of(on.delete_blob("y")); }, true},
    {"delete_container",
     [](TestBlobs& on) {
       return reason_of(run_task(on.blobs->delete_container("site1", "c", {})));
     },
     true},
    {"change_service_properties",
     [](TestBlobs& on) {
       return reason_of(run_task(on.blobs->change_service_properties(
           "site1",
           [](const std::string&) -> Result<ServiceDocument> { return ServiceDocument("<a/>"); })));
     },
     false},
};

// A blob "x"; a blob "y" of blocks with one more that waits.
struct Failures : testing::Test {
  static void fill(TestBlobs& on) {
    ASSERT_TRUE(on.put_blob("x", "old"));
    ASSERT_TRUE(on.put_block("y", "AAAA", "a"));
    ASSERT_TRUE(on.put_list("y", {{BlockRef::latest, "AAAA"}}));
    ASSERT_TRUE(on.put_block("y", "BBBB", "b"));
  }
};

TEST_F(Failures, OfTheCommitLeaveEverythingAsItWas) {
  for (const Call& call : kWrites) {
    TestBlobs on;
    fill(on);
    const std::string before = on.everything();
    on.failing_database->fail_next(kFull);
    EXPECT_EQ(call.run(on), "test_full") << call.name;
    EXPECT_EQ(on.everything(), before) << call.name;
    EXPECT_EQ(on.bytes("x"), "old") << call.name;
    EXPECT_EQ(call.run(on), "") << call.name << ", once more";
    EXPECT_NE(on.everything(), before) << call.name;
  }
}

TEST_F(Failures, OfTheObjectStoreLeaveEverythingAsItWas) {
  for (const Call& call : kWrites) {
    if (!call.uses_objects) continue;
    TestBlobs on;
    fill(on);
    const std::string before = on.everything();
    on.failing_objects->fail_next(kBroken);
    EXPECT_EQ(call.run(on), "test_broken") << call.name;
    EXPECT_EQ(on.everything(), before) << call.name;
    EXPECT_EQ(call.run(on), "") << call.name << ", once more";
  }
}

TEST_F(Failures, OfAWriteFreeNoByteThatIsStillNeeded) {
  for (const Call& call : kWrites) {
    TestBlobs on;
    fill(on);
    on.failing_database->fail_next(kFull);
    EXPECT_EQ(call.run(on), "test_full") << call.name;
    uint64_t freed = 1;
    EXPECT_EQ(on.contents_after_sweep(&freed), 4) << call.name;  // x, A, A's list, B
    EXPECT_EQ(freed, 0u) << call.name;
    EXPECT_EQ(on.bytes("x") + on.bytes("y"), "olda") << call.name;
  }
}

TEST_F(Failures, OfAReadAreSaid) {
  TestBlobs on;
  fill(on);
  const Call reads[] = {
      {"container",
       [](TestBlobs& b) { return reason_of(run_task(b.blobs->container("site1", "c"))); }, false},
      {"list_containers",
       [](TestBlobs& b) { return reason_of(run_task(b.blobs->list_containers("site1", {}))); },
       false},
      {"list_blobs",
       [](TestBlobs& b) { return reason_of(run_task(b.blobs->list_blobs("site1", "c", {}))); },
       false},
      {"blob", [](TestBlobs& b) { return reason_of(b.info("x")); }, false},
      {"block_lists",
       [](TestBlobs& b) { return reason_of(run_task(b.blobs->block_lists(TestBlobs::key("y")))); },
       false},
      {"may_replace",
       [](TestBlobs& b) {
         return reason_of(run_task(b.blobs->may_replace(TestBlobs::key("x"), {})));
       },
       false},
      {"service_properties",
       [](TestBlobs& b) { return reason_of(run_task(b.blobs->service_properties("site1"))); },
       false},
      {"sweep", [](TestBlobs& b) { return reason_of(run_task(b.blobs->sweep())); }, true},
      {"open_blob",
       [](TestBlobs& b) {
         const std::string got = b.bytes("x");
         return got == "old" ? std::string() : got;
       },
       true},
  };
  for (const Call& call : reads) {
    on.failing_database->fail_next(kFull);
    EXPECT_EQ(call.run(on), "test_full") << call.name;
    if (call.uses_objects) {
      on.failing_objects->fail_next(kBroken);
      EXPECT_EQ(call.run(on), "test_broken") << call.name;
    }
    EXPECT_EQ(call.run(on), "") << call.name;
  }
}

TEST_F(Failures, OfASweepLeaveItsBlocksForTheNext) {
  TestBlobs on;
  fill(on);
  on.clock.advance(std::chrono::hours(8 * 24));
  const std::string before = on.everything();
  on.failing_objects->fail_next(kBroken);  // in the write that drops the block
  EXPECT_EQ(reason_of(run_task(on.blobs->sweep())), "test_broken");
  EXPECT_EQ(on.everything(), before);
  EXPECT_EQ(reason_of(run_task(on.blobs->sweep())), "");
  EXPECT_EQ(on.rows("SELECT count(*) FROM uncommitted_block"), "0\n");
  EXPECT_EQ(on.bytes("y"), "a");
}

}  // namespace
}  // namespace holdfast::blob
