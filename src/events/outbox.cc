#include "events/outbox.h"

#include <algorithm>

#include "base/digest.h"
#include "events/sql_events_sql.h"

namespace holdfast::events {
namespace {

using store::Row;
using store::Tx;

constexpr int64_t kTrimmed = 2000;

int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}
WallTime time_of(int64_t nanos) {
  return WallTime(std::chrono::nanoseconds(nanos));
}

std::string uuid_text(ByteView id) {
  std::string text = hex(id);
  for (const size_t at : {8, 13, 18, 23}) {
    if (text.size() > at) text.insert(at, 1, '-');
  }
  return text;
}
std::string uuid_bytes(std::string text) {
  std::erase(text, '-');
  return from_hex(text).value_or("");
}

// `row` has seq, id, at, account, type, subject, data from `first` on.
StoredEvent event_in(const Row& row, int first) {
  StoredEvent event;
  event.seq = row.integer(first);
  event.id = uuid_text(row.blob(first + 1));
  event.at = time_of(row.integer(first + 2));
  event.account = std::string(row.text(first + 3));
  event.type = std::string(row.text(first + 4));
  event.subject = std::string(row.text(first + 5));
  event.data = std::string(row.text(first + 6));
  return event;
}

Result<int64_t> number(Tx& tx, std::string_view sql, std::initializer_list<store::Value> values) {
  int64_t found = 0;
  TRY_VOID(tx.each(sql, values, [&](const Row& row) {
    found = row.integer(0);
    return false;
  }));
  return found;
}

}  // namespace

Result<void> migrate(store::Database& database) {
  const store::Migration migrations[] = {{1, k_sql_events_sql}};
  return database.migrate("events", migrations);
}

Result<void> add(Tx& tx, const Event& event) {
  // Random, for a database that was taken back from a copy gives its numbers again.
  const std::string id = random_bytes(16);
  TRY_VOID(tx.run(
      "INSERT INTO event_outbox(id, at, account, type, subject, data) VALUES(?, ?, ?, ?, ?, "
      "?)",
      {as_bytes(id), nanos(event.at), event.account, event.type, event.subject, event.data}));
  return {};
}

Result<std::vector<StoredEvent>> events_after(Tx& tx, int64_t seq, size_t limit) {
  std::vector<StoredEvent> out;
  TRY_VOID(
      tx.each("SELECT seq, id, at, account, type, subject, data FROM event_outbox WHERE seq > "
              "? ORDER BY seq LIMIT ?",
              {seq, static_cast<int64_t>(limit)}, [&](const Row& row) {
                out.push_back(event_in(row, 0));
                return true;
              }));
  return out;
}

Result<Consumer> consumer(Tx& tx, std::string_view name) {
  Consumer found;
  bool there = false;
  TRY_VOID(tx.each("SELECT seq, validated FROM event_consumer WHERE name = ?", {name},
                   [&](const Row& row) {
                     there = true;
                     found.seq = row.integer(0);
                     found.validated = std::string(row.text(1));
                     return false;
                   }));
  if (there) return found;
  TRY(found.seq, number(tx, "SELECT coalesce(max(seq), 0) FROM event_outbox", {}));
  TRY_VOID(tx.run("INSERT INTO event_consumer(name, seq) VALUES(?, ?)", {name, found.seq}));
  return found;
}

Result<void> move_consumer(Tx& tx, std::string_view name, int64_t seq) {
  TRY_VOID(tx.run("UPDATE event_consumer SET seq = ? WHERE name = ?", {seq, name}));
  return {};
}

Result<void> set_validated(Tx& tx, std::string_view name, std::string_view url) {
  TRY_VOID(tx.run("UPDATE event_consumer SET validated = ? WHERE name = ?", {url, name}));
  return {};
}

Result<void> keep_consumers(Tx& tx, const std::vector<std::string>& names) {
  std::vector<std::string> others;
  TRY_VOID(tx.each("SELECT name FROM event_consumer", {}, [&](const Row& row) {
    if (std::ranges::find(names, row.text(0)) == names.end()) others.emplace_back(row.text(0));
    return true;
  }));
  for (const std::string& name : others) {
    TRY_VOID(tx.run("DELETE FROM event_consumer WHERE name = ?", {std::string_view(name)}));
    TRY_VOID(tx.run("DELETE FROM event_retry WHERE consumer = ?", {std::string_view(name)}));
  }
  for (const std::string& name : names) TRY_VOID(consumer(tx, name));
  return {};
}

Result<bool> trim(Tx& tx) {
  TRY(const int64_t last, number(tx, "SELECT coalesce(max(seq), 0) FROM event_outbox", {}));
  TRY(const int64_t done, number(tx, "SELECT coalesce(min(seq), ?) FROM event_consumer", {last}));
  TRY(const int64_t first, number(tx, "SELECT coalesce(min(seq), 0) FROM event_outbox", {}));
  const int64_t end = std::min({done + 1, last, first + kTrimmed});
  TRY(const int64_t dropped, tx.run("DELETE FROM event_outbox WHERE seq < ?", {end}));
  return dropped == kTrimmed;
}

Result<std::vector<Retry>> due_retries(Tx& tx, std::string_view consumer, WallTime now,
                                       size_t limit) {
  std::vector<Retry> out;
  TRY_VOID(tx.each(
      "SELECT attempts, due, tried, outcome, seq, id, at, account, type, subject, data FROM "
      "event_retry WHERE consumer = ? AND due <= ? ORDER BY due, seq LIMIT ?",
      {consumer, nanos(now), static_cast<int64_t>(limit)}, [&](const Row& row) {
        Retry retry;
        retry.attempts = row.integer(0);
        retry.due = time_of(row.integer(1));
        retry.tried = time_of(row.integer(2));
        retry.outcome = std::string(row.text(3));
        retry.event = event_in(row, 4);
        out.push_back(std::move(retry));
        return true;
      }));
  return out;
}

Result<void> save_retry(Tx& tx, std::string_view consumer, const Retry& retry) {
  const StoredEvent& event = retry.event;
  const std::string id = uuid_bytes(event.id);
  TRY_VOID(tx.run("INSERT OR REPLACE INTO event_retry VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  {consumer, event.seq, retry.attempts, nanos(retry.due), nanos(retry.tried),
                   std::string_view(retry.outcome), as_bytes(id), nanos(event.at),
                   std::string_view(event.account), std::string_view(event.type),
                   std::string_view(event.subject), std::string_view(event.data)}));
  return {};
}

Result<void> drop_retry(Tx& tx, std::string_view consumer, int64_t seq) {
  TRY_VOID(tx.run("DELETE FROM event_retry WHERE consumer = ? AND seq = ?", {consumer, seq}));
  return {};
}

Result<std::optional<WallTime>> next_retry(Tx& tx, std::string_view consumer) {
  std::optional<WallTime> next;
  TRY_VOID(tx.each("SELECT min(due) FROM event_retry WHERE consumer = ?", {consumer},
                   [&](const Row& row) {
                     if (!row.is_null(0)) next = time_of(row.integer(0));
                     return false;
                   }));
  return next;
}

Result<int64_t> waiting_retries(Tx& tx, std::string_view consumer) {
  return number(tx, "SELECT count(*) FROM event_retry WHERE consumer = ?", {consumer});
}

std::string sequencer(int64_t seq) {
  std::string digits(16, '0');
  for (size_t at = digits.size(); at-- > 0; seq >>= 4) digits[at] = "0123456789ABCDEF"[seq & 15];
  return "0000000000000000" + digits;
}

}  // namespace holdfast::events
