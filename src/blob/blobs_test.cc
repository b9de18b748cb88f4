// Containers and blobs: what a write makes, replaces and frees.
#include <gtest/gtest.h>

#include "blob/testing.h"

namespace holdfast::blob {
namespace {

struct BlobDomain : testing::Test, TestBlobs {};

TEST_F(BlobDomain, AContainerIsMadeOnce) {
  const auto made = run_task(blobs->create_container("site1", "new", {{"owner", "line 7"}}));
  ASSERT_TRUE(made);
  EXPECT_EQ(reason_of(run_task(blobs->create_container("site1", "new", {}))), "container_exists");
  const auto found = run_task(blobs->container("site1", "new"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->etag, made->etag);
  EXPECT_EQ(found->modified, clock.now());
  EXPECT_EQ(found->metadata, (Pairs{{"owner", "line 7"}}));
}

TEST_F(BlobDomain, AnObserverHearsOfWhatWasDoneAlone) {
  std::vector<std::string> heard;
  blobs->observe([&heard](const BlobKey& key) { heard.push_back(key.container + "/" + key.name); });
  ASSERT_TRUE(put_blob("a", "text"));
  EXPECT_EQ(reason_of(run_task(blobs->delete_blob(BlobKey("site1", "c", "b"), {}))),
            "blob_not_found");
  ASSERT_TRUE(run_task(blobs->put_block_list(BlobKey("site1", "c", "empty"), {}, {}, {})));
  ASSERT_TRUE(run_task(blobs->delete_blob(BlobKey("site1", "c", "a"), {})));
  EXPECT_EQ(heard, (std::vector<std::string>{"c/a", "c/empty", "c/a"}));
}

TEST_F(BlobDomain, ContainersOfTwoAccountsAreTwo) {
  ASSERT_TRUE(run_task(blobs->create_container("site2", "c", {})));
  ASSERT_TRUE(put_blob("x", "of site1"));
  EXPECT_EQ(reason_of(run_task(blobs->blob(BlobKey("site2", "c", "x"), {}))), "blob_not_found");
  EXPECT_EQ(reason_of(run_task(blobs->container("site3", "c"))), "container_not_found");
  ASSERT_TRUE(run_task(blobs->delete_container("site2", "c", {})));
  EXPECT_EQ(bytes("x"), "of site1");
}

TEST_F(BlobDomain, ContainerMetadataIsReplacedUnderItsCondition) {
  const uint64_t first = run_task(blobs->container("site1", "c"))->etag;
  clock.advance(std::chrono::seconds(1));
  const auto set = run_task(
      blobs->set_container_metadata("site1", "c", {{"a", "1"}, {"b", "2"}}, if_match(first)));
  ASSERT_TRUE(set);
  EXPECT_GT(set->etag, first);
  EXPECT_EQ(reason_of(run_task(
                blobs->set_container_metadata("site1", "c", {{"a", "3"}}, if_match(first)))),
            "condition_not_met");
  const auto found = run_task(blobs->container("site1", "c"));
  EXPECT_EQ(found->metadata, (Pairs{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(found->etag, set->etag);
  EXPECT_EQ(found->modified, clock.now());
}

TEST_F(BlobDomain, ABlobIsWhatWasPut) {
  const std::string sent = text(300'000, 'a');
  const auto put =
      put_blob("a/b.png", sent, {}, {{"Content-Type", "image/png"}}, {{"camera", "3"}});
  ASSERT_TRUE(put);
  const auto found = info("a/b.png");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "a/b.png");
  EXPECT_EQ(found->size, sent.size());
  EXPECT_EQ(found->etag, put->etag);
  EXPECT_EQ(found->created, clock.now());
  EXPECT_EQ(found->modified, clock.now());
  EXPECT_EQ(found->headers, (Pairs{{"Content-Type", "image/png"}}));
  EXPECT_EQ(found->metadata, (Pairs{{"camera", "3"}}));
  EXPECT_EQ(bytes("a/b.png"), sent);
  ASSERT_TRUE(put_blob("empty", ""));
  EXPECT_EQ(info("empty")->size, 0u);
  EXPECT_EQ(bytes("empty"), "");
}

TEST_F(BlobDomain, ReplacementTakesEverythingAndFreesTheOldContent) {
  const auto first = put_blob("x", text(3000, 'a'), {}, {{"Content-Type", "a/b"}}, {{"m", "1"}});
  ASSERT_TRUE(first);
  const auto reader = run_task(blobs->open_blob(key("x"), {}));
  ASSERT_TRUE(reader);
  clock.advance(std::chrono::seconds(5));
  const auto second = put_blob("x", text(20, 'b'));
  ASSERT_TRUE(second);
  EXPECT_GT(second->etag, first->etag);
  EXPECT_EQ(second->created, first->created);
  EXPECT_EQ(second->modified, clock.now());
  uint64_t freed = 0;
  EXPECT_EQ(contents_after_sweep(&freed), 1);
  EXPECT_EQ(freed, 3000u);
  const auto found = info("x");
  EXPECT_EQ(found->created, first->created);
  EXPECT_EQ(found->headers, Pairs());
  EXPECT_EQ(found->metadata, Pairs());
  EXPECT_EQ(bytes("x"), text(20, 'b'));
  EXPECT_EQ(read(reader->content), text(3000, 'a')) << "a reader keeps what it opened";
}

TEST_F(BlobDomain, PropertiesChangeAloneAndTheContentStays) {
  const auto put = put_blob("x", "bytes", {}, {{"Content-Type", "a/b"}}, {{"m", "1"}});
  ASSERT_TRUE(put);
  clock.advance(std::chrono::seconds(5));
  const auto headers =
      run_task(blobs->set_properties(key("x"), Pairs{{"Content-Type", "c/d"}}, std::nullopt, {}));
  ASSERT_TRUE(headers);
  EXPECT_GT(headers->etag, put->etag);
  EXPECT_EQ(info("x")->headers, (Pairs{{"Content-Type", "c/d"}}));
  EXPECT_EQ(info("x")->metadata, (Pairs{{"m", "1"}}));
  const auto metadata =
      run_task(blobs->set_properties(key("x"), std::nullopt, Pairs{}, if_match(headers->etag)));
  ASSERT_TRUE(metadata);
  const auto found = info("x");
  EXPECT_EQ(found->headers, (Pairs{{"Content-Type", "c/d"}}));
  EXPECT_EQ(found->metadata, Pairs());
  EXPECT_EQ(found->etag, metadata->etag);
  EXPECT_EQ(found->created, put->created);
  EXPECT_EQ(found->modified, clock.now());
  EXPECT_EQ(bytes("x"), "bytes");
  EXPECT_EQ(contents_after_sweep(), 1);
}

TEST_F(BlobDomain, DeletionFreesTheContent) {
  ASSERT_TRUE(put_blob("x", text(3000, 'a')));
  ASSERT_TRUE(put_blob("y", text(10, 'a')));
  ASSERT_TRUE(delete_blob("x"));
  EXPECT_EQ(bytes("x"), "blob_not_found");
  EXPECT_EQ(reason_of(delete_blob("x")), "blob_not_found");
  uint64_t freed = 0;
  EXPECT_EQ(contents_after_sweep(&freed), 1);
  EXPECT_EQ(freed, 3000u);
  EXPECT_EQ(bytes("y"), text(10, 'a'));
}

TEST_F(BlobDomain, ADeletedContainerTakesItsBlobsAndBlocksAlong) {
  make_container("stays");
  ASSERT_TRUE(put_blob("x", text(1000, 'a')));
  ASSERT_TRUE(put_block("y", "AAAA", text(1100, 'a')));
  ASSERT_TRUE(put_list("y", {{BlockRef::latest, "AAAA"}}));
  ASSERT_TRUE(put_block("y", "BBBB", text(1200, 'a')));
  ASSERT_TRUE(
      run_task(blobs->put_blob(BlobKey("site1", "stays", "x"), stage(text(5, 'a')), {}, {}, {})));
  ASSERT_TRUE(run_task(blobs->delete_container("site1", "c", {})));
  EXPECT_EQ(reason_of(run_task(blobs->container("site1", "c"))), "container_not_found");
  uint64_t freed = 0;
  EXPECT_EQ(contents_after_sweep(&freed), 1);
  EXPECT_EQ(freed, 3300u);
  make_container("c");
  EXPECT_EQ(bytes("x"), "blob_not_found");
  EXPECT_EQ(reason_of(run_task(blobs->block_lists(key("y")))), "blob_not_found");
}

TEST_F(BlobDomain, ARefusedWriteChangesNothing) {
  const auto put = put_blob("x", "first");
  ASSERT_TRUE(put);
  ASSERT_TRUE(put_block("x", "AAAA", "block"));
  const std::string before = everything();
  const uint64_t wrong = put->etag + 1;
  EXPECT_EQ(reason_of(put_blob("x", "second", if_match(wrong))), "condition_not_met");
  EXPECT_EQ(reason_of(put_blob("x", "second", if_none_match(Conditions::kAny))), "blob_exists");
  EXPECT_EQ(reason_of(put_blob("x", "second", create_only())), "overwrite_denied");
  EXPECT_EQ(reason_of(put_blob("new", "second", if_match(Conditions::kAny))), "condition_not_met");
  EXPECT_EQ(reason_of(put_list("x", {{BlockRef::latest, "AAAA"}}, if_match(wrong))),
            "condition_not_met");
  EXPECT_EQ(reason_of(put_list("x", {{BlockRef::latest, "AAAA"}}, create_only())),
            "overwrite_denied");
  EXPECT_EQ(reason_of(delete_blob("x", if_match(wrong))), "condition_not_met");
  EXPECT_EQ(reason_of(run_task(
                blobs->set_properties(key("x"), Pairs{}, Pairs{{"a", "1"}}, if_match(wrong)))),
            "condition_not_met");
  EXPECT_EQ(reason_of(run_task(blobs->delete_container("site1", "c", if_match(wrong)))),
            "condition_not_met");
  EXPECT_EQ(everything(), before);
  EXPECT_TRUE(put_blob("x", "second", if_match(put->etag)));
  EXPECT_TRUE(put_blob("new", "third", create_only()));
}

TEST_F(BlobDomain, MayReplaceSaysWhatPutWouldSay) {
  const auto ask = [this](std::string name, Conditions conditions) {
    return reason_of(run_task(blobs->may_replace(key(std::move(name)), conditions)));
  };
  const uint64_t etag = put_blob("x", "first")->etag;
  EXPECT_EQ(ask("x", {}), "");
  EXPECT_EQ(ask("x", if_match(etag)), "");
  EXPECT_EQ(ask("x", if_match(etag + 1)), "condition_not_met");
  EXPECT_EQ(ask("x", if_none_match(Conditions::kAny)), "blob_exists");
  EXPECT_EQ(ask("x", create_only()), "overwrite_denied");
  EXPECT_EQ(ask("new", create_only()), "");
  EXPECT_EQ(ask("new", if_match(Conditions::kAny)), "condition_not_met");
  EXPECT_EQ(reason_of(run_task(blobs->may_replace(BlobKey("site1", "no", "x"), {}))),
            "container_not_found");
}

TEST_F(BlobDomain, ReadsKeepToTheirConditions) {
  const uint64_t etag = put_blob("x", "first")->etag;
  EXPECT_EQ(reason_of(run_task(blobs->blob(key("x"), if_none_match(etag)))), "not_modified");
  EXPECT_EQ(reason_of(run_task(blobs->open_blob(key("x"), if_none_match(etag)))), "not_modified");
  EXPECT_EQ(reason_of(run_task(blobs->open_blob(key("x"), if_match(etag + 1)))),
            "condition_not_met");
  EXPECT_TRUE(run_task(blobs->open_blob(key("x"), if_match(etag))));
}

TEST_F(BlobDomain, WhereTheContainerIsMissingEveryCallSaysSo) {
  const BlobKey at("site1", "no", "x");
  const auto refs = std::vector<BlockRef>{{BlockRef::latest, "AAAA"}};
  const std::string before = everything();
  for (const std::string& said :
       {reason_of(run_task(blobs->container("site1", "no"))),
        reason_of(run_task(blobs->set_container_metadata("site1", "no", {}, {}))),
        reason_of(run_task(blobs->delete_container("site1", "no", {}))),
        reason_of(run_task(blobs->put_blob(at, stage("x"), {}, {}, {}))),
        reason_of(run_task(blobs->put_block(at, "AAAA", stage("x"), {}))),
        reason_of(run_task(blobs->put_block_list(at, refs, {}, {}))),
        reason_of(run_task(blobs->block_lists(at))), reason_of(run_task(blobs->blob(at, {}))),
        reason_of(run_task(blobs->open_blob(at, {}))),
        reason_of(run_task(blobs->delete_blob(at, {}))),
        reason_of(run_task(blobs->set_properties(at, Pairs{}, Pairs{}, {}))),
        reason_of(run_task(blobs->list_blobs("site1", "no", {})))}) {
    EXPECT_EQ(said, "container_not_found");
  }
  EXPECT_EQ(everything(), before);
}

TEST_F(BlobDomain, ETagsNeverRepeatAndGrowOverARestart) {
  uint64_t last = 0;
  for (int i = 0; i < 50; ++i) {  // the clock stands still
    const uint64_t etag = put_blob(i % 2 == 0 ? "x" : "y", "same")->etag;
    EXPECT_GT(etag, last);
    last = etag;
  }
  clock.advance(std::chrono::milliseconds(1));
  restart();
  EXPECT_GT(put_blob("x", "same")->etag, last);
  EXPECT_EQ(bytes("y"), "same");
}

TEST_F(BlobDomain, ServicePropertiesAreAnAccountsOwn) {
  const auto append = [this](std::string account, std::string more) {
    return reason_of(run_task(blobs->change_service_properties(
        std::move(account), [more](const std::string& present) -> Result<ServiceDocument> {
          return ServiceDocument(present + more);
        })));
  };
  EXPECT_EQ(*run_task(blobs->service_properties("site1")), "");
  EXPECT_EQ(append("site1", "<a/>"), "");
  EXPECT_EQ(append("site1", "<b/>"), "");
  EXPECT_EQ(*run_task(blobs->service_properties("site1")), "<a/><b/>");
  EXPECT_EQ(*run_task(blobs->service_properties("site2")), "");
  const auto refuse = [](const std::string&) -> Result<ServiceDocument> {
    return fail(Code::invalid_argument, "test_refused", "no");
  };
  EXPECT_EQ(reason_of(run_task(blobs->change_service_properties("site1", refuse))), "test_refused");
  EXPECT_EQ(*run_task(blobs->service_properties("site1")), "<a/><b/>");
}

}  // namespace
}  // namespace holdfast::blob
