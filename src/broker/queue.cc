#include "broker/queue.h"

#include "broker/broker_sql.h"

namespace holdfast::broker {
namespace {

using store::Row;
using store::Tx;

int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}

std::pair<std::string, std::string> target_of(const std::string& endpoint) {
  const size_t slash = endpoint.find('/');
  if (slash == std::string::npos) return {endpoint, ""};
  return {endpoint.substr(0, slash), endpoint.substr(slash + 1)};
}

}  // namespace

Result<std::unique_ptr<MessageQueue>> MessageQueue::open(store::Database& database,
                                                         const Clock& clock, uint64_t max_bytes) {
  const store::Migration migrations[] = {{1, k_broker_sql}};
  TRY_VOID(database.migrate("broker", migrations));
  std::unique_ptr<MessageQueue> queue(new MessageQueue(database, clock, max_bytes));
  TRY_VOID(database.write_now([&](Tx& tx) {
    return tx.each("SELECT coalesce(sum(size), 0) FROM message", {}, [&](const Row& row) {
      queue->bytes_ = static_cast<uint64_t>(row.integer(0));
      return true;
    });
  }));
  return queue;
}

MessageQueue::Target& MessageQueue::target(const std::string& name) {
  auto& found = targets_[name];
  if (!found) found = std::make_unique<Target>();
  return *found;
}

Task<Result<void>> MessageQueue::add(Message message, std::vector<Destination> where,
                                     std::string event) {
  const std::string properties = device_wire::encode_properties(message.properties);
  const uint64_t size = message.body.size() + properties.size();
  if (bytes_ + size * where.size() > max_bytes_)
    co_return fail(Code::unavailable, "full", "the store of messages is full");
  const auto shared = std::make_shared<const Message>(std::move(message));
  const auto work = [shared, where, properties, event, size,
                     now = clock_.now()](Tx& tx) -> Result<uint64_t> {
    uint64_t added = 0;
    for (const Destination& one : where) {
      const auto [to, input] = target_of(one.endpoint);
      const store::Value id =
          event.empty() ? store::Value() : store::Value(std::string_view(event));
      TRY(const int64_t changed,
          tx.run(
              "INSERT OR IGNORE INTO message(target, input, priority, expires, module, output, "
              "event, properties, body, size) VALUES(?,?,?,?,?,?,?,?,?,?)",
              {std::string_view(to), std::string_view(input), int64_t{one.priority},
               event.empty() ? nanos(now + std::chrono::seconds(one.time_to_live)) : INT64_MAX,
               std::string_view(shared->module), std::string_view(shared->output), id,
               std::string_view(properties), as_bytes(shared->body), static_cast<int64_t>(size)}));
      if (changed > 0) added += size;
    }
    return added;
  };
  CO_TRY(const uint64_t added, co_await database_.write(work));
  bytes_ += added;
  for (const Destination& one : where) notify(target_of(one.endpoint).first);
  co_return Result<void>();
}

Task<Result<std::vector<Queued>>> MessageQueue::next(std::string name, size_t limit) {
  size_t out = 0;
  {
    const std::lock_guard lock(mutex_);
    Target& at = target(name);
    at.gone.clear();
    out = at.out.size();
  }
  const auto work = [name, most = static_cast<int64_t>(limit + out),
                     now = nanos(clock_.now())](Tx& tx) -> Result<std::vector<Queued>> {
    std::vector<Queued> rows;
    std::optional<Error> wrong;
    TRY_VOID(
        tx.each("SELECT sequence, input, module, output, properties, body FROM message "
                "WHERE target = ? AND expires > ? ORDER BY priority, sequence LIMIT ?",
                {std::string_view(name), now, most}, [&](const Row& row) {
                  Queued one;
                  one.sequence = row.integer(0);
                  one.input = std::string(row.text(1));
                  one.message.module = std::string(row.text(2));
                  one.message.output = std::string(row.text(3));
                  auto properties = device_wire::decode_properties(row.text(4));
                  if (!properties) wrong = properties.error();
                  if (properties) one.message.properties = std::move(*properties);
                  one.message.body = std::string(as_text(row.blob(5)));
                  rows.push_back(std::move(one));
                  return !wrong;
                }));
    if (wrong) return std::unexpected(std::move(*wrong));
    return rows;
  };
  CO_TRY(std::vector<Queued> rows, co_await database_.read(work));
  const std::lock_guard lock(mutex_);
  Target& at = target(name);
  std::vector<Queued> fresh;
  for (Queued& row : rows) {
    if (fresh.size() == limit) break;
    if (at.gone.contains(row.sequence) || !at.out.insert(row.sequence).second) continue;
    fresh.push_back(std::move(row));
  }
  co_return fresh;
}

Task<Result<void>> MessageQueue::done(std::string name, int64_t sequence) {
  struct Gone {
    uint64_t size = 0;
    std::string event;  // whose last copy it was
  };
  const auto work = [sequence](Tx& tx) -> Result<Gone> {
    Gone gone;
    TRY_VOID(tx.each("SELECT size, event FROM message WHERE sequence = ?", {sequence},
                     [&](const Row& row) {
                       gone.size = static_cast<uint64_t>(row.integer(0));
                       if (!row.is_null(1)) gone.event = std::string(row.text(1));
                       return true;
                     }));
    TRY_VOID(tx.run("DELETE FROM message WHERE sequence = ?", {sequence}));
    if (gone.event.empty()) return gone;
    bool others = false;
    TRY_VOID(tx.each("SELECT 1 FROM message WHERE event = ? LIMIT 1",
                     {std::string_view(gone.event)}, [&](const Row&) {
                       others = true;
                       return false;
                     }));
    if (others) gone.event.clear();
    return gone;
  };
  CO_TRY(const Gone gone, co_await database_.write(work));
  bytes_ -= gone.size;
  {
    const std::lock_guard lock(mutex_);
    Target& at = target(name);
    at.out.erase(sequence);
    at.gone.insert(sequence);
  }
  notify(name);
  if (!gone.event.empty() && event_done_) event_done_(gone.event);
  co_return Result<void>();
}

void MessageQueue::give_back(const std::string& name, int64_t sequence) {
  const std::lock_guard lock(mutex_);
  target(name).out.erase(sequence);
}

void MessageQueue::give_back_all(const std::string& name) {
  const std::lock_guard lock(mutex_);
  target(name).out.clear();
}

size_t MessageQueue::handed_out(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = targets_.find(name);
  return found == targets_.end() ? 0 : found->second->out.size();
}

Task<Result<int64_t>> MessageQueue::sweep() {
  struct Swept {
    int64_t count = 0;
    uint64_t size = 0;
  };
  const auto work = [now = nanos(clock_.now())](Tx& tx) -> Result<Swept> {
    Swept swept;
    TRY_VOID(tx.each("SELECT size FROM message WHERE expires <= ?", {now}, [&](const Row& row) {
      ++swept.count;
      swept.size += static_cast<uint64_t>(row.integer(0));
      return true;
    }));
    if (swept.count > 0) {
      TRY_VOID(tx.run("DELETE FROM message WHERE expires <= ?", {now}));
    }
    return swept;
  };
  CO_TRY(const Swept swept, co_await database_.write(work));
  bytes_ -= swept.size;
  expired_ += static_cast<uint64_t>(swept.count);
  co_return swept.count;
}

Task<Result<void>> MessageQueue::drop_target(std::string name) {
  struct Dropped {
    uint64_t size = 0;
    std::vector<std::string> events;  // whose last copies they were
  };
  const auto work = [name](Tx& tx) -> Result<Dropped> {
    Dropped dropped;
    const auto size = [&](const Row& row) {
      dropped.size = static_cast<uint64_t>(row.integer(0));
      return true;
    };
    const auto event = [&](const Row& row) {
      dropped.events.emplace_back(row.text(0));
      return true;
    };
    TRY_VOID(tx.each("SELECT coalesce(sum(size), 0) FROM message WHERE target = ?",
                     {std::string_view(name)}, size));
    TRY_VOID(
        tx.each("SELECT DISTINCT event FROM message WHERE target = ?1 AND event IS NOT NULL AND "
                "event NOT IN (SELECT event FROM message WHERE target <> ?1 AND event IS NOT NULL)",
                {std::string_view(name)}, event));
    TRY_VOID(tx.run("DELETE FROM message WHERE target = ?", {std::string_view(name)}));
    return dropped;
  };
  CO_TRY(const Dropped dropped, co_await database_.write(work));
  bytes_ -= dropped.size;
  give_back_all(name);
  for (const std::string& event : dropped.events)
    if (event_dropped_) event_dropped_(event);
  co_return Result<void>();
}

Task<Result<std::map<std::string, MessageQueue::Counts>>> MessageQueue::counts() {
  const auto work = [](Tx& tx) -> Result<std::map<std::string, Counts>> {
    std::map<std::string, Counts> out;
    TRY_VOID(tx.each("SELECT target, count(*), sum(size) FROM message GROUP BY target", {},
                     [&](const Row& row) {
                       out[std::string(row.text(0))] = {static_cast<uint64_t>(row.integer(1)),
                                                        static_cast<uint64_t>(row.integer(2))};
                       return true;
                     }));
    return out;
  };
  co_return co_await database_.read(work);
}

Task<void> MessageQueue::wait_for_work(std::string name, std::chrono::milliseconds most) {
  Wake* wake = nullptr;
  {
    const std::lock_guard lock(mutex_);
    wake = &target(name).wake;
  }
  co_await wake->wait(most);
}

void MessageQueue::notify(const std::string& name) {
  const std::lock_guard lock(mutex_);
  target(name).wake.notify();
}

}  // namespace holdfast::broker
