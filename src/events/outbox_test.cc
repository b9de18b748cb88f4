#include "events/outbox.h"

#include <gtest/gtest.h>

#include "events/subscription.h"
#include "events/wire.h"

namespace holdfast::events {
namespace {

using store::Tx;

struct Box {
  std::unique_ptr<store::Database> database = std::move(*store::open_sqlite({":memory:"}));
  Box() { EXPECT_TRUE(migrate(*database)); }
  template <class F>
  void in(F work) {
    EXPECT_TRUE(database->write_now([&](Tx& tx) -> Result<void> {
      work(tx);
      return {};
    }));
  }
  void put(int count) {
    in([&](Tx& tx) {
      for (int i = 0; i < count; ++i)
        EXPECT_TRUE(
            add(tx, {WallTime(std::chrono::seconds(1'700'000'000)), "site1", "T", "s", "{}"}));
    });
  }
  std::vector<StoredEvent> all() {
    std::vector<StoredEvent> out;
    in([&](Tx& tx) { out = *events_after(tx, 0, 10'000); });
    return out;
  }
};

TEST(Outbox, AConsumerBeginsBehindWhatThereIs) {
  Box box;
  box.put(3);
  box.in([](Tx& tx) {
    EXPECT_TRUE(keep_consumers(tx, {"a", "b"}));
    EXPECT_EQ(consumer(tx, "a")->seq, 3);
    EXPECT_TRUE(move_consumer(tx, "a", 7));
    EXPECT_TRUE(keep_consumers(tx, {"a"}));
    EXPECT_EQ(consumer(tx, "a")->seq, 7);  // where it was
    EXPECT_EQ(consumer(tx, "b")->seq, 3);  // forgotten, and new
  });
}

TEST(Outbox, WhatEverybodyHasIsTrimmedAndNumbersNeverComeAgain) {
  Box box;
  box.in([](Tx& tx) { EXPECT_TRUE(keep_consumers(tx, {"a", "b"})); });
  box.put(10);
  const auto ids = box.all();
  box.in([](Tx& tx) {
    EXPECT_TRUE(move_consumer(tx, "a", 10));
    EXPECT_TRUE(move_consumer(tx, "b", 4));
    EXPECT_FALSE(*trim(tx));
  });
  ASSERT_EQ(box.all().size(), 6u);
  EXPECT_EQ(box.all()[0].id, ids[4].id);
  box.in([](Tx& tx) {
    EXPECT_TRUE(move_consumer(tx, "b", 10));
    EXPECT_FALSE(*trim(tx));
  });
  ASSERT_EQ(box.all().size(), 1u);  // the newest
  box.put(1);
  EXPECT_EQ(box.all().back().seq, 11);
}

TEST(Outbox, ALongOneIsTrimmedInParts) {
  Box box;
  box.in([](Tx& tx) { EXPECT_TRUE(keep_consumers(tx, {"a"})); });
  box.put(4500);
  box.in([](Tx& tx) {
    EXPECT_TRUE(move_consumer(tx, "a", 4500));
    EXPECT_TRUE(*trim(tx));
    EXPECT_TRUE(*trim(tx));
    EXPECT_FALSE(*trim(tx));
  });
  EXPECT_EQ(box.all().size(), 1u);
}

TEST(Outbox, SequencersSortAsNumbersDo) {
  EXPECT_EQ(sequencer(255), "000000000000000000000000000000FF");
  EXPECT_LT(sequencer(9), sequencer(10));
  EXPECT_LT(sequencer(0xffff), sequencer(0x10000));
}

TEST(Outbox, ASubjectBecomesAPath) {
  StoredEvent event;
  event.account = "site1";
  event.subject = "/blobServices/default/containers/c/blobs/a b/ä?.txt";
  EXPECT_EQ(path_of(event), "/site1/c/a%20b/%C3%A4%3F.txt");
  event.subject = "/blobServices/default/containers/c/blobs/x/blobs/y";
  EXPECT_EQ(path_of(event), "/site1/c/x/blobs/y");
}

TEST(Subscriptions, AreReadStrictly) {
  const auto read = [](const std::string& text) -> std::string {
    auto map = YamlMap::parse(text, "hub.yaml");
    const auto parsed = parse_subscription("to-index", *map);
    if (!parsed) return parsed.error().message();
    const auto done = map->finish();
    return done ? "" : done.error().message();
  };
  EXPECT_EQ(read("url: http://127.0.0.1:9/x"), "");
  for (const auto& [text, wrong] : std::initializer_list<std::pair<const char*, const char*>>{
           {"account: a", "url"},
           {"url: ftp://x", "must begin with"},
           {"{url: 'http://x', types: [BlobCreated]}", "is no type of event"},
           {"{url: 'http://x', types: [Microsoft.Storage.BlobCreate]}",
            "did you mean Microsoft.Storage.BlobCreated"},
           {"{url: 'http://x', attempts: 31}", "attempts"},
           {"{url: 'http://x', event-life: 2s}", "1m to 24h"},
           {"{url: 'http://x', dead-letter: c}", "ACCOUNT/CONTAINER"},
           {"{url: 'http://x', events-per-delivery: 0}", "events-per-delivery"},
           {"{url: 'http://x', subject: a}", "subject"}})
    EXPECT_NE(read(text).find(wrong), std::string::npos) << text << ": " << read(text);
}

TEST(Subscriptions, WantBySubjectTypeAndAccount) {
  Subscription wanted;
  wanted.account = "site1";
  wanted.subject_begins = "/blobServices/default/containers/c/";
  wanted.subject_ends = ".jpg";
  StoredEvent event;
  event.account = "site1";
  event.type = "Microsoft.Storage.BlobCreated";
  event.subject = "/blobServices/default/containers/c/blobs/a.jpg";
  EXPECT_TRUE(wants(wanted, event));
  event.type = "BlobPropertiesUpdated";  // the change feed's own
  EXPECT_FALSE(wants(wanted, event));
  event.type = "Microsoft.Storage.BlobDeleted";
  EXPECT_TRUE(wants(wanted, event));
  wanted.types = {"Microsoft.Storage.BlobCreated"};
  EXPECT_FALSE(wants(wanted, event));
  wanted.types.clear();
  event.account = "site2";
  EXPECT_FALSE(wants(wanted, event));
  event.account = "site1";
  event.subject += "x";
  EXPECT_FALSE(wants(wanted, event));
}

}  // namespace
}  // namespace holdfast::events
