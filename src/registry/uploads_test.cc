// Upload sessions: parts, order, restarts, digests, age.
#include <gtest/gtest.h>

#include "net/http/testing.h"
#include "registry/testing.h"

namespace holdfast::registry {
namespace {

using oci::Digest;

struct Uploads : testing::Test, TestRegistry {
  std::string id;
  void SetUp() override { id = *run_task(registry->begin_upload("a")); }
  Result<uint64_t> append(const std::string& bytes, std::optional<uint64_t> start = {}) {
    MemorySource source(bytes);
    return run_task(registry->append_upload("a", id, start, source));
  }
  Result<void> finish(const Digest& digest, const std::string& rest = "",
                      std::optional<uint64_t> start = {}) {
    MemorySource source(rest);
    return run_task(registry->finish_upload("a", id, start, digest, source));
  }
  Result<uint64_t> size() { return run_task(registry->upload_size("a", id)); }
};

TEST_F(Uploads, PartsBecomeOneBlob) {
  EXPECT_EQ(*append("one "), 4u);
  EXPECT_EQ(*append("two ", 4), 8u);
  const Digest digest = Digest::sha256(as_bytes("one two three"));
  ASSERT_TRUE(finish(digest, "three", 8));
  EXPECT_EQ(*read("a", digest), "one two three");
  EXPECT_EQ(size().error().reason(), "upload_unknown");
  EXPECT_EQ(count("SELECT count(*) FROM registry_upload_part"), 0);
  // Only what the blob needs is held: freeing it frees all.
  ASSERT_TRUE(run_task(registry->delete_blob("a", digest)));
  sweep();
  EXPECT_EQ(count("SELECT count(*) FROM content"), 0);
}

TEST_F(Uploads, OutOfOrderIsRefusedAndLeavesTheSession) {
  ASSERT_TRUE(append("abcd"));
  EXPECT_EQ(append("x", 3).error().reason(), "range_invalid");
  EXPECT_EQ(append("x", 5).error().reason(), "range_invalid");
  EXPECT_EQ(finish(Digest::sha256(as_bytes("x")), "x", 9).error().reason(), "range_invalid");
  EXPECT_EQ(*size(), 4u);
  EXPECT_TRUE(finish(Digest::sha256(as_bytes("abcd"))));
}

TEST_F(Uploads, AWrongDigestLeavesTheSessionAndNoBlob) {
  ASSERT_TRUE(append("abcd"));
  EXPECT_EQ(finish(Digest::sha256(as_bytes("abce"))).error().reason(), "digest_invalid");
  EXPECT_EQ(finish(Digest::sha256(as_bytes("abcd")), "more").error().reason(), "digest_invalid");
  EXPECT_EQ(*size(), 4u);
  EXPECT_EQ(count("SELECT count(*) FROM registry_blob"), 0);
  EXPECT_TRUE(finish(Digest::sha256(as_bytes("abcd"))));
}

TEST_F(Uploads, GoOnAfterARestart) {
  ASSERT_TRUE(append(std::string(300'000, 'x')));  // a file of its own
  ASSERT_TRUE(append("small"));
  restart();
  EXPECT_EQ(*size(), 300'005u);
  ASSERT_TRUE(append("last", 300'005));
  const std::string whole = std::string(300'000, 'x') + "smalllast";
  restart();
  ASSERT_TRUE(finish(Digest::sha256(as_bytes(whole))));
  EXPECT_EQ(*read("a", Digest::sha256(as_bytes(whole))), whole);
}

TEST_F(Uploads, ABrokenPartCountsForNothing) {
  ASSERT_TRUE(append("abcd"));
  http::FailingSource broken("efgh", Error(Code::unavailable, "cut"));
  EXPECT_FALSE(run_task(registry->append_upload("a", id, std::nullopt, broken)));
  EXPECT_EQ(*size(), 4u);
  http::FailingSource again("efgh", Error(Code::unavailable, "cut"));
  EXPECT_FALSE(run_task(
      registry->finish_upload("a", id, std::nullopt, Digest::sha256(as_bytes("abcdefgh")), again)));
  EXPECT_EQ(*size(), 4u);
  EXPECT_TRUE(finish(Digest::sha256(as_bytes("abcdefgh")), "efgh"));
}

TEST_F(Uploads, ManyPartsAreWrittenAnewAsOne) {
  std::string whole;
  for (int i = 0; i < 40; ++i) {
    const std::string part = std::to_string(i) + " ";
    ASSERT_TRUE(append(part));
    whole += part;
  }
  const Digest digest = Digest::sha256(as_bytes(whole));
  ASSERT_TRUE(finish(digest));
  EXPECT_EQ(*read("a", digest), whole);
  sweep();
  EXPECT_EQ(count("SELECT count(*) FROM content"), 1);
}

TEST_F(Uploads, Sha512AndTheEmptyBlob) {
  ASSERT_TRUE(append("abc"));
  oci::DigestHasher hasher(HashKind::sha512);
  hasher.update(as_bytes("abc"));
  const Digest digest = hasher.finish();
  ASSERT_TRUE(finish(digest));
  EXPECT_EQ(*read("a", digest), "abc");
  id = *run_task(registry->begin_upload("a"));
  ASSERT_TRUE(finish(Digest::sha256({})));
  EXPECT_EQ(*read("a", Digest::sha256({})), "");
}

TEST_F(Uploads, TheSameBlobTwiceIsOneContent) {
  const auto blob = put("b", "bytes");
  ASSERT_TRUE(append("bytes"));
  ASSERT_TRUE(finish(blob.digest));
  EXPECT_EQ(*read("a", blob.digest), "bytes");
  sweep();
  EXPECT_EQ(count("SELECT count(*) FROM content"), 1);
}

TEST_F(Uploads, BelongToTheirRepositoryAndEnd) {
  EXPECT_EQ(run_task(registry->upload_size("b", id)).error().reason(), "upload_unknown");
  ASSERT_TRUE(append("abcd"));
  clock.advance(std::chrono::hours(23));
  ASSERT_TRUE(append("efgh"));
  clock.advance(std::chrono::hours(23));
  sweep();
  EXPECT_EQ(*size(), 8u);
  clock.advance(std::chrono::hours(2));
  sweep();
  EXPECT_EQ(size().error().reason(), "upload_unknown");
  EXPECT_EQ(append("x").error().reason(), "upload_unknown");
  EXPECT_EQ(finish(Digest::sha256({})).error().reason(), "upload_unknown");
  EXPECT_EQ(count("SELECT count(*) FROM content"), 0);
  id = *run_task(registry->begin_upload("a"));
  ASSERT_TRUE(append("x"));
  ASSERT_TRUE(run_task(registry->cancel_upload("a", id)));
  EXPECT_EQ(run_task(registry->cancel_upload("a", id)).error().reason(), "upload_unknown");
  sweep();
  EXPECT_EQ(count("SELECT count(*) FROM content"), 0);
}

}  // namespace
}  // namespace holdfast::registry
