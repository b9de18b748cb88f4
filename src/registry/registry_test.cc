// Blobs, manifests, tags and what is freed.
#include <gtest/gtest.h>

#include "registry/testing.h"

namespace holdfast::registry {
namespace {

using oci::Digest;

struct RegistryTest : testing::Test, TestRegistry {
  Result<oci::Descriptor> push(const std::string& repository, const std::string& json,
                               std::vector<std::string> tags) {
    Tags names;
    names.names = std::move(tags);
    return run_task(registry->put_manifest(repository, json, "", Digest(), std::move(names)));
  }
  Result<StoredManifest> resolve(const std::string& repository, const std::string& reference) {
    return run_task(registry->resolve(repository, reference));
  }
};

TEST_F(RegistryTest, AnImageIsThereByTagAndDigestAfterARestart) {
  const auto layer = put("a", "layer bytes");
  const std::string json = manifest("a", {layer});
  const auto pushed = push("a", json, {"1", "latest"});
  ASSERT_TRUE(pushed) << pushed.error().message();
  restart();
  for (const std::string& reference :
       {std::string("1"), std::string("latest"), pushed->digest.str()}) {
    const auto stored = resolve("a", reference);
    ASSERT_TRUE(stored) << reference;
    EXPECT_EQ(stored->json, json);
    EXPECT_EQ(stored->descriptor.digest, pushed->digest);
  }
  EXPECT_EQ(*read("a", layer.digest), "layer bytes");
  EXPECT_EQ(resolve("a", "2").error().reason(), "manifest_unknown");
  EXPECT_EQ(resolve("b", "1").error().reason(), "name_unknown");
}

TEST_F(RegistryTest, ABlobOfWrongBytesIsNeverThere) {
  const Digest digest = Digest::sha256(as_bytes("right"));
  MemorySource wrong("wrong");
  const auto done = run_task(registry->put_blob("a", digest, wrong));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().reason(), "digest_invalid");
  EXPECT_FALSE(read("a", digest));
  EXPECT_EQ(count("SELECT count(*) FROM content"), 0);
}

TEST_F(RegistryTest, OneCopyForAllRepositories) {
  const auto one = put("a", "bytes");
  EXPECT_FALSE(read("b", one.digest));
  put("b", "bytes");
  EXPECT_TRUE(*run_task(registry->mount_blob("c", one.digest, "a")));
  EXPECT_TRUE(*run_task(registry->mount_blob("d", one.digest, "")));
  EXPECT_FALSE(*run_task(registry->mount_blob("e", one.digest, "nowhere")));
  EXPECT_FALSE(*run_task(registry->mount_blob("e", Digest::sha256(as_bytes("x")), "")));
  EXPECT_EQ(count("SELECT count(*) FROM content WHERE refs > 0"), 1);
  for (const char* repository : {"a", "b", "c"})
    ASSERT_TRUE(run_task(registry->delete_blob(repository, one.digest)));
  EXPECT_EQ(*read("d", one.digest), "bytes");
  ASSERT_TRUE(run_task(registry->delete_blob("d", one.digest)));
  EXPECT_EQ(count("SELECT count(*) FROM content WHERE refs > 0"), 0);
}

TEST_F(RegistryTest, AManifestNeedsAllThatItNames) {
  oci::Descriptor absent;
  absent.media_type = oci::media::kLayer;
  absent.digest = Digest::sha256(as_bytes("absent"));
  absent.size = 6;
  auto refused = push("a", manifest("a", {put("a", "there"), absent}), {"1"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason(), "manifest_blob_unknown");
  // In another repository is not here.
  put("b", "absent");
  EXPECT_FALSE(push("a", manifest("a", {absent}), {"1"}));
  // Nothing of it is left: no tag, no hold on the blob that was there.
  EXPECT_FALSE(resolve("a", "1"));
  EXPECT_EQ(count("SELECT sum(used) FROM registry_member"), 0);
  auto lying = put("a", "sized");
  lying.size += 1;
  EXPECT_EQ(push("a", manifest("a", {lying}), {"1"}).error().reason(), "manifest_invalid");
  oci::Manifest index;
  index.media_type = oci::media::kIndex;
  index.manifests = {absent};
  EXPECT_EQ(push("a", oci::write_manifest(index), {"1"}).error().reason(), "manifest_blob_unknown");
  EXPECT_EQ(push("a", "{}", {"1"}).error().reason(), "manifest_invalid");
  EXPECT_EQ(push("a", manifest("a", {}), {"-bad"}).error().reason(), "tag_invalid");
  EXPECT_EQ(push("A", manifest("a", {}), {"1"}).error().reason(), "name_invalid");
  // What lies elsewhere by its type need not be here; nor a subject.
  absent.media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar";
  EXPECT_TRUE(push("a", manifest("a", {absent}), {"1"}));
}

TEST_F(RegistryTest, ABlobInUseStaysAndAFreedOneGoesAfterItsGrace) {
  const auto layer = put("a", "layer");
  const auto first = push("a", manifest("a", {layer}, "1"), {"1"});
  const auto second = push("a", manifest("a", {layer, layer}, "2"), {"2", "latest"});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(run_task(registry->delete_blob("a", layer.digest)).error().reason(), "blob_in_use");
  ASSERT_TRUE(run_task(registry->delete_manifest("a", "1")));  // the tag alone
  EXPECT_TRUE(resolve("a", first->digest.str()));
  ASSERT_TRUE(run_task(registry->delete_manifest("a", first->digest.str())));
  EXPECT_FALSE(resolve("a", first->digest.str()));
  EXPECT_EQ(run_task(registry->delete_manifest("a", first->digest.str())).error().reason(),
            "manifest_unknown");
  clock.advance(std::chrono::hours(2));
  sweep();
  EXPECT_EQ(*read("a", layer.digest), "layer");  // the second needs it
  ASSERT_TRUE(run_task(registry->delete_manifest("a", second->digest.str())));
  EXPECT_FALSE(resolve("a", "latest"));  // a digest goes with its tags
  sweep();
  EXPECT_TRUE(read("a", layer.digest));
  clock.advance(std::chrono::minutes(50));
  EXPECT_TRUE(read("a", layer.digest));  // being asked for begins its grace anew
  clock.advance(std::chrono::minutes(50));
  sweep();
  EXPECT_TRUE(read("a", layer.digest));
  clock.advance(std::chrono::minutes(61));
  sweep();
  EXPECT_FALSE(read("a", layer.digest));
  EXPECT_EQ(count("SELECT count(*) FROM content"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM registry_repository"), 0);
}

TEST_F(RegistryTest, TheSameManifestAgainChangesNothing) {
  const std::string json = manifest("a", {put("a", "layer")});
  ASSERT_TRUE(push("a", json, {"1"}));
  ASSERT_TRUE(push("a", json, {"1", "latest"}));
  EXPECT_EQ(count("SELECT max(used) FROM registry_member"), 1);
  EXPECT_TRUE(resolve("a", "latest"));
  EXPECT_EQ(run_task(registry->put_manifest("a", json, "", Digest::sha256(as_bytes("other")), {}))
                .error()
                .reason(),
            "digest_invalid");
}

TEST_F(RegistryTest, FixedTagsStayAndLatestFollowsTheHighestNumber) {
  const auto fixed = [&](const std::string& json, const std::string& tag) {
    Tags tags;
    tags.names = {tag};
    tags.fixed = tags.latest = true;
    return run_task(registry->put_manifest("a", json, "", Digest(), tags));
  };
  const auto tenth = fixed(manifest("a", {}, "ten"), "10");
  ASSERT_TRUE(tenth);
  ASSERT_TRUE(push("a", manifest("a", {}, "other"), {"v11", "x"}));
  const auto ninth = fixed(manifest("a", {}, "nine"), "9");
  ASSERT_TRUE(ninth);
  EXPECT_EQ(resolve("a", "latest")->descriptor.digest, tenth->digest);
  ASSERT_TRUE(fixed(manifest("a", {}, "nine"), "9"));
  EXPECT_EQ(fixed(manifest("a", {}, "changed"), "9").error().reason(), "tag_exists");
  EXPECT_EQ(resolve("a", "9")->descriptor.digest, ninth->digest);
  EXPECT_FALSE(resolve("a", Digest::sha256(as_bytes(manifest("a", {}, "changed"))).str()));
}

TEST_F(RegistryTest, ListsInPages) {
  for (const char* name : {"b", "a/c", "a"})
    ASSERT_TRUE(push(name, manifest(name, {}), {"2", "1", "10"}));
  put("empty", "bytes");  // holds no manifest
  auto page = run_task(registry->repositories(2, ""));
  EXPECT_EQ(page->names, (std::vector<std::string>{"a", "a/c"}));
  EXPECT_TRUE(page->more);
  page = run_task(registry->repositories(2, "a/c"));
  EXPECT_EQ(page->names, (std::vector<std::string>{"b"}));
  EXPECT_FALSE(page->more);
  const auto tags = run_task(registry->tags("a", 10, ""));
  EXPECT_EQ(tags->names, (std::vector<std::string>{"1", "10", "2"}));
  EXPECT_TRUE(run_task(registry->tags("a", 0, ""))->names.empty());
  EXPECT_EQ(run_task(registry->tags("x", 10, "")).error().reason(), "name_unknown");
}

TEST_F(RegistryTest, ReferrersAreThoseOfTheSubject) {
  const Digest subject = Digest::sha256(as_bytes("not there yet"));
  oci::Manifest note;
  note.config = put("a", "{}", oci::media::kEmpty);
  note.artifact_type = "application/x-note";
  note.subject.emplace();
  note.subject->media_type = oci::media::kManifest;
  note.subject->digest = subject;
  note.annotations = {{"k", "v"}};
  ASSERT_TRUE(push("a", oci::write_manifest(note), {}));
  note.artifact_type = "application/x-other";
  ASSERT_TRUE(push("a", oci::write_manifest(note), {}));
  auto found = run_task(registry->referrers("a", subject, "", ""));
  EXPECT_EQ(found->manifests.size(), 2u);
  found = run_task(registry->referrers("a", subject, "application/x-note", ""));
  ASSERT_EQ(found->manifests.size(), 1u);
  EXPECT_EQ(found->manifests.front().annotations.at("k"), "v");
  EXPECT_TRUE(
      run_task(registry->referrers("a", Digest::sha256(as_bytes("x")), "", ""))->manifests.empty());
  EXPECT_TRUE(run_task(registry->referrers("none", subject, "", ""))->manifests.empty());
}

}  // namespace
}  // namespace holdfast::registry
