// The outbox: events, written in the transaction of their change, read in order by each consumer.
// All functions but migrate() run inside a transaction of the database that holds the changes.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "store/database/database.h"

namespace holdfast::events {

struct Event {
  WallTime at;
  std::string_view account, type, subject;
  std::string_view data;  // JSON object
};
struct StoredEvent {
  int64_t seq = 0;
  std::string id;  // a UUID
  WallTime at;
  std::string account, type, subject, data;
};

// The component "events".
Result<void> migrate(store::Database& database);

Result<void> add(store::Tx& tx, const Event& event);
// Of all accounts, in order; at most `limit` behind `seq`.
Result<std::vector<StoredEvent>> events_after(store::Tx& tx, int64_t seq, size_t limit);

struct Consumer {
  int64_t seq = 0;        // the last that it is done with
  std::string validated;  // the URL that has agreed; "" none yet
};
// A new consumer begins behind what there is now.
Result<Consumer> consumer(store::Tx& tx, std::string_view name);
Result<void> move_consumer(store::Tx& tx, std::string_view name, int64_t seq);
Result<void> set_validated(store::Tx& tx, std::string_view name, std::string_view url);
// Registers these, forgets all others with what waits for them. Once, at start.
Result<void> keep_consumers(store::Tx& tx, const std::vector<std::string>& names);
// Drops what every consumer is done with; a bounded number of rows. Whether there may be more.
Result<bool> trim(store::Tx& tx);

// An event that could not be delivered yet.
struct Retry {
  StoredEvent event;
  int64_t attempts = 0;
  WallTime due, tried;
  std::string outcome;
};
Result<std::vector<Retry>> due_retries(store::Tx& tx, std::string_view consumer, WallTime now,
                                       size_t limit);
Result<void> save_retry(store::Tx& tx, std::string_view consumer, const Retry& retry);
Result<void> drop_retry(store::Tx& tx, std::string_view consumer, int64_t seq);
// When the next is due; nullopt where none waits.
Result<std::optional<WallTime>> next_retry(store::Tx& tx, std::string_view consumer);
Result<int64_t> waiting_retries(store::Tx& tx, std::string_view consumer);

// How an event's number is told: texts of one length that sort as the numbers do.
std::string sequencer(int64_t seq);

}  // namespace holdfast::events
