// A failure below leaves the history as it was, and frees nothing that it holds.
#include <gtest/gtest.h>

#include "blob/history.h"
#include "blob/testing.h"

namespace holdfast::blob {
namespace {

const Error kFull(Code::unavailable, "test_full", "the disk is full");
const Error kBroken(Code::internal, "test_broken", "the disk is broken");

// A blob "x" of blocks with a snapshot, a version of "v" and the blob itself, a deleted blob "d".
struct Rig : TestBlobs {
  AccountSettings settings;
  WallTime snapshot, version;

  Rig() {
    blobs->set_settings([this](std::string_view) { return settings; });
    EXPECT_TRUE(run_task(blobs->change_service_properties(
        "site1", [](const std::string&) -> Result<ServiceDocument> {
          ServiceDocument document("<a/>");
          document.kept = std::chrono::days(2);
          document.permanent_delete = true;
          return document;
        })));
    EXPECT_TRUE(put_block("x", "AAAA", "a"));
    EXPECT_TRUE(put_list("x", {{BlockRef::latest, "AAAA"}}));
    snapshot = run_task(History(*blobs).snapshot(key("x"), std::nullopt, {}))->snapshot;
    EXPECT_TRUE(put_blob("d", "gone"));
    EXPECT_TRUE(delete_blob("d"));
    settings.versioning = true;
    version = put_blob("v", "one")->version;
    EXPECT_TRUE(put_blob("v", "two"));
    settings.versioning = false;
  }
  std::string remove(BlobKey it, Removal removal) {
    return reason_of(run_task(History(*blobs).remove(std::move(it), {}, removal)));
  }
  BlobKey the_snapshot() const {
    BlobKey it = key("x");
    it.snapshot = snapshot;
    return it;
  }
  BlobKey the_version() const {
    BlobKey it = key("v");
    it.version = version;
    return it;
  }
  std::string all_bytes() {
    std::string out = bytes("x") + "," + bytes("v") + "," + bytes("d");
    for (const BlobKey& it : {the_snapshot(), the_version()}) {
      const auto open = run_task(blobs->open_blob(it, {}));
      out += "," + (open ? read(open->content) : reason_of(open));
    }
    return out;
  }
};

struct Call {
  const char* name;
  std::string (*run)(Rig&);
  bool uses_objects;
};

constexpr Removal::Snapshots kWith = Removal::include;

const Call kCalls[] = {
    {"snapshot",
     [](Rig& on) {
       return reason_of(
           run_task(History(*on.blobs).snapshot(Rig::key("x"), Pairs{{"m", "1"}}, {})));
     },
     true},
    {"remove a blob with its snapshots", [](Rig& on) { return on.remove(Rig::key("x"), {kWith}); },
     false},
    {"remove a snapshot", [](Rig& on) { return on.remove(on.the_snapshot(), {}); }, false},
    {"remove a version", [](Rig& on) { return on.remove(on.the_version(), {}); }, false},
    {"undelete",
     [](Rig& on) { return reason_of(run_task(History(*on.blobs).undelete(Rig::key("d")))); },
     false},
    {"overwrite softly", [](Rig& on) { return reason_of(on.put_blob("x", "new")); }, true},
    {"overwrite, keeping a version",
     [](Rig& on) {
       on.settings.versioning = true;
       return reason_of(on.put_blob("v", "three"));
     },
     true},
    {"metadata, keeping a version",
     [](Rig& on) {
       on.settings.versioning = true;
       return reason_of(
           run_task(on.blobs->set_properties(Rig::key("v"), std::nullopt, Pairs{{"m", "1"}}, {})));
     },
     true},
    {"put where a blob was deleted", [](Rig& on) { return reason_of(on.put_blob("d", "again")); },
     true},
    {"copy a snapshot over its blob",
     [](Rig& on) {
       return reason_of(
           run_task(on.blobs->copy_blob(Rig::key("x"), on.the_snapshot(), {}, {}, {})));
     },
     true},
    {"delete a container, keeping it",
     [](Rig& on) {
       on.settings.containers_kept = std::chrono::hours(1);
       return reason_of(run_task(on.blobs->delete_container("site1", "c", {})));
     },
     false},
    {"delete a container",
     [](Rig& on) { return reason_of(run_task(on.blobs->delete_container("site1", "c", {}))); },
     true},
    {"sweep, when all has expired",
     [](Rig& on) {
       on.clock.advance(std::chrono::days(3));
       return reason_of(run_task(on.blobs->sweep()));
     },
     true},
};

TEST(KeptFailures, OfTheCommitLeaveEverythingAsItWas) {
  for (const Call& call : kCalls) {
    Rig on;
    const std::string before = on.everything(), bytes = on.all_bytes();
    on.failing_database->fail_next(kFull);
    EXPECT_EQ(call.run(on), "test_full") << call.name;
    EXPECT_EQ(on.everything(), before) << call.name;
    uint64_t freed = 1;
    on.contents_after_sweep(&freed);
    EXPECT_EQ(freed, 0u) << call.name;
    EXPECT_EQ(on.all_bytes(), bytes) << call.name;
    EXPECT_EQ(call.run(on), "") << call.name << ", once more";
    EXPECT_NE(on.everything(), before) << call.name;
  }
}

TEST(KeptFailures, OfTheObjectStoreLeaveEverythingAsItWas) {
  for (const Call& call : kCalls) {
    if (!call.uses_objects) continue;
    Rig on;
    const std::string before = on.everything(), bytes = on.all_bytes();
    on.failing_objects->fail_next(kBroken);
    EXPECT_EQ(call.run(on), "test_broken") << call.name;
    EXPECT_EQ(on.everything(), before) << call.name;
    EXPECT_EQ(on.all_bytes(), bytes) << call.name;
    EXPECT_EQ(call.run(on), "") << call.name << ", once more";
  }
}

// After each of them, what is still named is whole; when all is deleted and swept, nothing is left.
TEST(KeptFailures, NothingLeaksAndNothingIsFreedEarly) {
  for (const Call& call : kCalls) {
    Rig on;
    EXPECT_EQ(call.run(on), "") << call.name;
    const std::string bytes = on.all_bytes();
    EXPECT_TRUE(run_task(on.blobs->objects().sweep()));
    EXPECT_EQ(on.all_bytes(), bytes) << call.name;
    on.settings = {};
    (void)run_task(on.blobs->delete_container("site1", "c", {}));
    on.clock.advance(std::chrono::days(3));
    EXPECT_TRUE(run_task(on.blobs->sweep())) << call.name;
    EXPECT_EQ(on.contents_after_sweep(), 0) << call.name;
    EXPECT_EQ(on.rows("SELECT count(*) FROM history_block"), "0\n") << call.name;
  }
}

}  // namespace
}  // namespace holdfast::blob
