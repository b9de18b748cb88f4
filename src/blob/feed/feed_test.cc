#include "blob/feed/feed.h"

#include <gtest/gtest.h>

#include "blob/feed/avro.h"
#include "blob/feed/records.h"
#include "blob/testing.h"
#include "events/outbox.h"

namespace holdfast::blob {
namespace {

using namespace std::chrono_literals;

TEST(Avro, EncodesAsTheSpecificationHasIt) {
  const auto encoded = [](auto write) {
    avro::Encoder out;
    write(out);
    return hex(as_bytes(out.take()));
  };
  // The examples of the specification, and the ends of the range.
  for (const auto& [value, bytes] :
       std::initializer_list<std::pair<int64_t, const char*>>{{0, "00"},
                                                              {-1, "01"},
                                                              {1, "02"},
                                                              {-2, "03"},
                                                              {2, "04"},
                                                              {-64, "7f"},
                                                              {64, "8001"},
                                                              {INT64_MAX, "feffffffffffffffff01"},
                                                              {INT64_MIN, "ffffffffffffffffff01"}})
    EXPECT_EQ(encoded([v = value](avro::Encoder& out) { out.number(v); }), bytes) << value;
  EXPECT_EQ(encoded([](avro::Encoder& out) { out.text("foo"); }), "06666f6f");
  EXPECT_EQ(encoded([](avro::Encoder& out) { out.optional_text(std::nullopt); }), "00");
  EXPECT_EQ(encoded([](avro::Encoder& out) { out.optional_text("a"); }), "020261");
  EXPECT_EQ(encoded([](avro::Encoder& out) { out.map({}); }), "00");
  EXPECT_EQ(encoded([](avro::Encoder& out) { out.map({{"a", "b"}}); }), "020261026200");
}

TEST(Avro, AFileIsAHeaderAndBlocks) {
  const std::string sync(16, 's');
  avro::File file("\"string\"", sync);
  const std::string head = std::string("Obj\x01", 4) +
                           "\x04\x14"
                           "avro.codec\x08null\x16"
                           "avro.schema\x10\"string\"" +
                           std::string(1, '\0') + sync;
  EXPECT_EQ(avro::File("\"string\"", sync).finish(), head);
  file.add(
      "\x02"
      "a");
  file.add(
      "\x02"
      "b");
  EXPECT_EQ(file.finish(), head +
                               "\x04\x08\x02"
                               "a\x02"
                               "b" +
                               sync);
}

TEST(FeedNames, AreOfTheHour) {
  const WallTime at = *parse_rfc3339("2026-11-26T21:59:59.9Z");
  const std::string hour = feed::hour_of(at);
  EXPECT_EQ(hour, "2026/11/26/2100");
  EXPECT_EQ(feed::segment_name(hour), "idx/segments/2026/11/26/2100/meta.json");
  EXPECT_EQ(feed::chunk_name(hour, 7), "log/00/2026/11/26/2100/00007.avro");
  EXPECT_EQ(feed::hour_of_segment(feed::segment_name(hour)), hour);
  EXPECT_EQ(feed::begin_of(hour), *parse_rfc3339("2026-11-26T21:00:00Z"));
}

struct FeedRig : TestBlobs {
  AccountSettings settings;
  std::unique_ptr<ChangeFeed> changes;
  FeedRig() {
    settings.events = settings.change_feed = true;
    settings.versioning = true;  // the feed's own files make no versions
    blobs->set_settings([this](std::string_view) { return settings; });
    EXPECT_TRUE(database->write_now([](store::Tx& tx) {
      return events::keep_consumers(tx, {std::string(ChangeFeed::kConsumer)});
    }));
    changes = std::make_unique<ChangeFeed>(*blobs, events::origins("h", "http://x"), 1s);
  }
  std::string files() { return rows("SELECT name FROM blob WHERE name LIKE '%/%' ORDER BY name"); }
  std::string file(std::string name) {
    const auto open =
        run_task(blobs->open_blob({"site1", std::string(feed::kContainer), std::move(name)}, {}));
    return open ? read(open->content) : reason_of(open);
  }
};

TEST(ChangeFeedFiles, OfEachHourAndHowFarItIs) {
  FeedRig rig;  // at 2023-11-14T22:13:20Z
  ASSERT_TRUE(rig.put_blob("a", "1"));
  EXPECT_FALSE(*run_task(rig.changes->step()));
  ASSERT_TRUE(rig.put_blob("a", "2"));
  EXPECT_FALSE(*run_task(rig.changes->step()));
  EXPECT_FALSE(*run_task(rig.changes->step()));  // nothing new: no file
  EXPECT_EQ(rig.files(),
            "idx/segments/2023/11/14/2200/meta.json\nlog/00/2023/11/14/2200/00000.avro\n"
            "log/00/2023/11/14/2200/00001.avro\nmeta/segments.json\n");
  EXPECT_NE(rig.file("idx/segments/2023/11/14/2200/meta.json").find("\"Publishing\""),
            std::string::npos);
  rig.clock.advance(2h);
  ASSERT_TRUE(rig.delete_blob("a"));
  EXPECT_FALSE(*run_task(rig.changes->step()));
  EXPECT_NE(rig.file("idx/segments/2023/11/14/2200/meta.json").find("\"Finalized\""),
            std::string::npos);
  EXPECT_NE(rig.file("meta/segments.json").find("\"2023-11-15T00:00:00.000Z\""), std::string::npos);
  EXPECT_NE(rig.file("log/00/2023/11/15/0000/00000.avro").find("BlobDeleted"), std::string::npos);
  EXPECT_EQ(rig.rows("SELECT count(*) FROM blob_history WHERE name LIKE '%/%'"), "0\n");
}

TEST(ChangeFeedFiles, AFailedWriteIsWrittenOnce) {
  FeedRig rig;
  ASSERT_TRUE(rig.put_blob("a", "1"));
  int failures = 0;
  for (int at = 0; at < 6; ++at) {
    rig.failing_database->fail_next(Error(Code::internal, "the disk"));
    failures += !run_task(rig.changes->step());
  }
  EXPECT_GT(failures, 0);
  EXPECT_TRUE(run_task(rig.changes->step()));
  EXPECT_EQ(rig.files(),
            "idx/segments/2023/11/14/2200/meta.json\nlog/00/2023/11/14/2200/00000.avro\n"
            "meta/segments.json\n");
}

TEST(ChangeFeedFiles, GoAfterTheirRetention) {
  FeedRig rig;
  rig.settings.change_feed_kept = 24h;
  ASSERT_TRUE(rig.put_blob("a", "1"));
  EXPECT_TRUE(run_task(rig.changes->step()));
  rig.clock.advance(24h);
  ASSERT_TRUE(rig.put_blob("a", "2"));
  EXPECT_TRUE(run_task(rig.changes->step()));
  EXPECT_NE(rig.files().find("2023/11/14/2200"), std::string::npos);
  rig.clock.advance(1h);
  EXPECT_TRUE(run_task(rig.changes->step()));
  EXPECT_EQ(rig.files(),
            "idx/segments/2023/11/15/2200/meta.json\nlog/00/2023/11/15/2200/00000.avro\n"
            "meta/segments.json\n");
}

TEST(ChangeFeedFiles, OnlyOfAccountsThatWantOne) {
  FeedRig rig;
  rig.settings.change_feed = false;
  ASSERT_TRUE(rig.put_blob("a", "1"));
  EXPECT_TRUE(run_task(rig.changes->step()));
  EXPECT_EQ(rig.files(), "");
}

}  // namespace
}  // namespace holdfast::blob
