#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "blob/history.h"
#include "blob/pages.h"
#include "blob/testing.h"
#include "blob/tiers.h"
#include "events/outbox.h"

namespace holdfast::blob {
namespace {

namespace json = boost::json;

struct ToldBlobs : TestBlobs {
  bool listens = true;
  ToldBlobs() { listen(); }
  void listen() {
    blobs->set_settings([this](std::string_view) {
      AccountSettings settings;
      settings.events = listens;
      return settings;
    });
  }
  std::vector<events::StoredEvent> told() {
    std::vector<events::StoredEvent> out;
    EXPECT_TRUE(database->write_now([&](store::Tx& tx) -> Result<void> {
      TRY(out, events::events_after(tx, 0, 1000));
      return {};
    }));
    return out;
  }
  // "api type subject", a line each.
  std::string lines() {
    std::string out;
    for (const auto& event : told())
      out += std::string(json::parse(event.data).at("api").as_string()) + " " + event.type + " " +
             event.subject.substr(event.subject.find("/blobs/") + 7) + "\n";
    return out;
  }
};

Conditions asked() {
  Conditions conditions;
  conditions.asked = std::make_shared<const Asked>(Asked{"r-1", "say \"hi\""});
  return conditions;
}

TEST(Tell, EachChangeIsToldOnceInOrder) {
  ToldBlobs rig;
  History history(*rig.blobs);
  PageBlobs pages(*rig.blobs);
  ASSERT_TRUE(rig.put_blob("a", "one"));
  ASSERT_TRUE(rig.put_blob("a", "two"));
  ASSERT_TRUE(rig.put_block("b", "AAAA", "x"));
  ASSERT_TRUE(rig.put_list("b", {{BlockRef::latest, "AAAA"}}));
  ASSERT_TRUE(run_task(rig.blobs->copy_blob(rig.key("c"), rig.key("a"), {}, {}, {})));
  ASSERT_TRUE(run_task(pages.create(rig.key("p"), 512, {}, {})));
  ASSERT_TRUE(run_task(Tiers(*rig.blobs).set(rig.key("a"), "Cool", {})));
  ASSERT_TRUE(run_task(rig.blobs->set_tags(rig.key("a"), {{"k", "v"}}, {})));
  ASSERT_TRUE(run_task(rig.blobs->set_properties(rig.key("a"), std::nullopt, Pairs{}, {})));
  ASSERT_TRUE(run_task(history.snapshot(rig.key("a"), std::nullopt, {})));
  ASSERT_TRUE(run_task(history.remove(rig.key("a"), {}, {.snapshots = Removal::include})));
  EXPECT_EQ(rig.lines(),
            "PutBlob Microsoft.Storage.BlobCreated a\n"
            "PutBlob Microsoft.Storage.BlobCreated a\n"
            "PutBlockList Microsoft.Storage.BlobCreated b\n"
            "CopyBlob Microsoft.Storage.BlobCreated c\n"
            "PutBlob Microsoft.Storage.BlobCreated p\n"
            "SetBlobTier Microsoft.Storage.BlobTierChanged a\n"
            "SetBlobTags BlobPropertiesUpdated a\n"
            "SetBlobMetadata BlobPropertiesUpdated a\n"
            "SnapshotBlob BlobSnapshotCreated a\n"
            "DeleteBlob Microsoft.Storage.BlobDeleted a\n");
}

TEST(Tell, AnEventHasWhatAskedAndWhatItMade) {
  ToldBlobs rig;
  const auto made = rig.put_blob("ä b/\"c\"", "12345", asked(), {{"Content-Type", "text/plain"}});
  ASSERT_TRUE(made);
  ASSERT_TRUE(run_task(Tiers(*rig.blobs).set(rig.key("ä b/\"c\""), "Cool", asked())));
  const auto told = rig.told();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].account, "site1");
  EXPECT_EQ(told[0].subject, "/blobServices/default/containers/c/blobs/ä b/\"c\"");
  EXPECT_EQ(told[0].id.size(), 36u);
  EXPECT_NE(told[0].id, told[1].id);
  EXPECT_LT(told[0].seq, told[1].seq);
  const json::object data = json::parse(told[0].data).as_object();
  EXPECT_EQ(data.at("requestId"), "r-1");
  EXPECT_EQ(data.at("clientRequestId"), "say \"hi\"");
  EXPECT_EQ(data.at("contentType"), "text/plain");
  EXPECT_EQ(data.at("contentLength"), 5);
  EXPECT_EQ(data.at("blobType"), "BlockBlob");
  char etag[32];
  std::snprintf(etag, sizeof etag, "0x%016llX", static_cast<unsigned long long>(made->etag));
  EXPECT_EQ(data.at("eTag"), etag);
  const json::object tier = json::parse(told[1].data).as_object();
  EXPECT_EQ(tier.at("accessTier"), "Cool");
  EXPECT_EQ(tier.at("previousTier"), "Hot");
}

TEST(Tell, NoChangeNoEvent) {
  ToldBlobs rig;
  ASSERT_TRUE(rig.put_blob("a", "one"));
  // A condition that does not hold, a write that fails, and what is not there.
  EXPECT_FALSE(rig.put_blob("a", "two", if_match(1)));
  rig.failing_database->fail_next(Error(Code::internal, "the disk"));
  EXPECT_FALSE(rig.put_blob("a", "three"));
  EXPECT_FALSE(rig.delete_blob("b"));
  EXPECT_EQ(rig.told().size(), 1u);
}

TEST(Tell, WhereNobodyListensNothingIsWritten) {
  ToldBlobs rig;
  rig.listens = false;
  ASSERT_TRUE(rig.put_blob("a", "one"));
  ASSERT_TRUE(rig.delete_blob("a"));
  rig.listens = true;
  Conditions untold;
  untold.untold = true;
  ASSERT_TRUE(rig.put_blob("a", "one", untold));
  EXPECT_TRUE(rig.told().empty());
}

}  // namespace
}  // namespace holdfast::blob
