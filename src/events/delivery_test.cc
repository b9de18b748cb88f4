#include "events/delivery.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "net/runtime.h"
#include "store/database/failing_database.h"

namespace holdfast::events {
namespace {

namespace json = boost::json;
using store::Tx;
using namespace std::chrono_literals;

// A webhook that agrees, and answers `status`; 0: it is not there.
struct Rig {
  FakeClock clock;
  std::unique_ptr<store::Database> database = std::move(*store::open_sqlite({":memory:"}));
  store::FailingDatabase failing{*database};
  unsigned status = 200;
  bool agrees = true;
  std::vector<std::string> told;  // ids, in the order of their telling
  std::vector<size_t> sizes;
  int questions = 0;
  std::vector<std::pair<std::string, std::string>> buried;
  bool grave = true;
  Subscription subscription;
  std::unique_ptr<Delivery> delivery;

  Rig() {
    subscription.name = "to-index";
    subscription.url = "http://hook";
    EXPECT_TRUE(migrate(*database));
    EXPECT_TRUE(database->write_now([](Tx& tx) { return keep_consumers(tx, {"to-index"}); }));
    restart();
  }
  void restart() {
    DeliveryParts parts;
    parts.database = &failing;
    parts.clock = &clock;
    parts.post = [this](Posting posting) { return answer(std::move(posting)); };
    parts.bury = [this](std::string, std::string container, std::string name, std::string body) {
      return bury(container + "/" + name, std::move(body));
    };
    parts.origins = origins("holdfast.internal", "http://127.0.0.1:10000");
    delivery = std::make_unique<Delivery>(subscription, std::move(parts));
  }
  Task<Result<Posted>> answer(Posting posting) {
    const json::value body = json::parse(posting.body);
    Posted posted;
    posted.status = status;
    if (status == 0) co_return fail(Code::unavailable, "not connected");
    if (body.at(0).at("eventType") == "Microsoft.EventGrid.SubscriptionValidationEvent") {
      ++questions;
      const std::string code(body.at(0).at("data").at("validationCode").as_string());
      posted.body = agrees ? R"({"validationResponse": ")" + code + "\"}" : "{}";
      co_return posted;
    }
    sizes.push_back(body.as_array().size());
    for (const auto& event : body.as_array()) told.emplace_back(event.at("id").as_string());
    co_return posted;
  }
  Task<Result<void>> bury(std::string name, std::string body) {
    if (!grave) co_return fail(Code::not_found, "no such container");
    buried.emplace_back(std::move(name), std::move(body));
    co_return Result<void>();
  }
  void put(int count, std::string type = "Microsoft.Storage.BlobCreated") {
    EXPECT_TRUE(database->write_now([&](Tx& tx) -> Result<void> {
      for (int i = 0; i < count; ++i)
        TRY_VOID(add(tx, {clock.now(), "site1", type, "/blobServices/default/containers/c/blobs/b",
                          R"({"api":"PutBlob"})"}));
      return {};
    }));
  }
  // Until nothing is left to do now.
  std::chrono::milliseconds rounds() {
    for (;;) {
      const auto wait = run_task(delivery->step());
      EXPECT_TRUE(wait) << wait.error().message();
      if (!wait || wait->count() > 0) return wait.value_or(0ms);
    }
  }
  int64_t count(std::string sql) {
    int64_t out = -1;
    EXPECT_TRUE(database->write_now([&](Tx& tx) {
      return tx.each(sql, {}, [&](const store::Row& row) {
        out = row.integer(0);
        return false;
      });
    }));
    return out;
  }
};

TEST(Delivery, AsksOnceAndThenTellsInOrder) {
  Rig rig;
  rig.put(450);
  rig.put(3, "BlobPropertiesUpdated");
  rig.rounds();
  EXPECT_EQ(rig.questions, 1);
  ASSERT_EQ(rig.told.size(), 450u);
  EXPECT_EQ(rig.sizes, std::vector<size_t>(450, 1));
  rig.restart();
  rig.put(1);
  rig.rounds();
  EXPECT_EQ(rig.questions, 1);
  EXPECT_EQ(rig.told.size(), 451u);
  EXPECT_EQ(rig.count("SELECT count(*) FROM event_outbox"), 1);
}

TEST(Delivery, ManyInOneRequestWhereItIsAskedFor) {
  Rig rig;
  rig.subscription.per_delivery = 100;
  rig.restart();
  rig.put(250);
  rig.rounds();
  EXPECT_EQ(rig.told.size(), 250u);
  EXPECT_EQ(rig.sizes, (std::vector<size_t>{100, 100, 50}));
}

TEST(Delivery, NothingIsToldBeforeTheWebhookAgrees) {
  Rig rig;
  rig.agrees = false;
  rig.put(2);
  EXPECT_EQ(rig.rounds(), 10s);
  rig.clock.advance(9s);
  rig.rounds();
  EXPECT_EQ(rig.questions, 1);
  rig.agrees = true;
  rig.clock.advance(1s);
  rig.rounds();
  EXPECT_EQ(rig.questions, 2);
  EXPECT_EQ(rig.told.size(), 2u);
}

TEST(Delivery, WhatIsNotTakenIsToldAgainWithTheSameId) {
  Rig rig;
  rig.rounds();
  rig.status = 503;
  rig.put(3);
  rig.rounds();
  ASSERT_EQ(rig.told.size(), 1u);  // the others wait behind it
  const std::string first = rig.told[0];
  rig.status = 200;
  rig.clock.advance(9s);
  rig.rounds();
  EXPECT_EQ(rig.told.size(), 1u);
  rig.restart();
  rig.clock.advance(1s);
  rig.rounds();
  ASSERT_EQ(rig.told.size(), 4u);
  EXPECT_EQ(rig.told[1], first);
  EXPECT_EQ(rig.count("SELECT count(*) FROM event_retry"), 0);
}

TEST(Delivery, ARoundWhoseEndIsNotKeptIsToldAgain) {
  Rig rig;
  rig.rounds();
  rig.put(2);
  run_task(rig.delivery->step());
  rig.put(2);
  // Of the four calls of a step the write is the last but two.
  bool failed = false;
  for (int at = 0; at < 4 && !failed; ++at) {
    rig.failing.fail_next(Error(Code::internal, "the disk"));
    failed = !run_task(rig.delivery->step());
  }
  EXPECT_TRUE(failed);
  rig.rounds();
  EXPECT_GE(rig.told.size(), 4u);
  EXPECT_EQ(std::set<std::string>(rig.told.begin(), rig.told.end()).size(), 4u);
}

TEST(Delivery, WhatIsNeverTakenBecomesADeadLetter) {
  Rig rig;
  rig.subscription.attempts = 3;
  rig.subscription.dead_letter_account = "site1";
  rig.subscription.dead_letter_container = "dead";
  rig.restart();
  rig.rounds();
  rig.put(1);
  rig.status = 0;
  for (int i = 0; i < 3; ++i) {
    rig.rounds();
    rig.clock.advance(1min);
  }
  ASSERT_EQ(rig.buried.size(), 1u);
  EXPECT_TRUE(rig.buried[0].first.starts_with("dead/TO-INDEX/2023/11/14/22/"))
      << rig.buried[0].first;
  const json::value letter = json::parse(rig.buried[0].second);
  EXPECT_EQ(letter.at(0).at("deadLetterReason"), "MaxDeliveryAttemptsExceeded");
  EXPECT_EQ(letter.at(0).at("deliveryAttempts"), 3);
  EXPECT_EQ(letter.at(0).at("lastDeliveryOutcome"), "Unreachable");
  EXPECT_EQ(letter.at(0).at("data").at("url"), "http://127.0.0.1:10000/site1/c/b");
  EXPECT_EQ(rig.count("SELECT count(*) FROM event_retry"), 0);
}

TEST(Delivery, AFinalAnswerIsNotAskedForTwiceAndAGraveIsTriedAgain) {
  Rig rig;
  rig.subscription.dead_letter_account = "site1";
  rig.subscription.dead_letter_container = "dead";
  rig.restart();
  rig.rounds();
  rig.status = 400;
  rig.grave = false;
  rig.put(2);
  rig.rounds();
  EXPECT_EQ(rig.told.size(), 2u);
  EXPECT_EQ(rig.count("SELECT count(*) FROM event_retry"), 2);
  rig.grave = true;
  rig.clock.advance(25h);  // longer than the event lives: it is not told again
  rig.rounds();
  EXPECT_EQ(rig.told.size(), 2u);
  EXPECT_EQ(rig.buried.size(), 2u);
  EXPECT_EQ(rig.count("SELECT count(*) FROM event_retry"), 0);
}

TEST(Delivery, TheScheduleIsEventGrids) {
  EXPECT_EQ(retry_delay(1), 10s);
  EXPECT_EQ(retry_delay(2), 30s);
  EXPECT_EQ(retry_delay(4), 5min);
  EXPECT_EQ(retry_delay(30), 12h);
}

}  // namespace
}  // namespace holdfast::events
