#include "shares/file_events.h"

#include <algorithm>

#include "base/digest.h"
#include "net/wake.h"
#include "shares/sql_kept_sql.h"
#include "shares/sql_shares_sql.h"

namespace holdfast::shares {
namespace {

using store::Row;
using store::Tx;

int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}

// Columns from `at`: id, share, path, size, modified, closed.
FileEvent event_from(const Row& row, int at) {
  FileEvent event;
  event.id = std::string(row.text(at));
  event.share = ShareName(std::string(row.text(at + 1)));
  event.path = std::string(row.text(at + 2));
  event.size = static_cast<uint64_t>(row.integer(at + 3));
  event.modified = WallTime(std::chrono::nanoseconds(row.integer(at + 4)));
  event.closed = WallTime(std::chrono::nanoseconds(row.integer(at + 5)));
  return event;
}

constexpr const char* kStates[] = {"pending", "done", "failed"};

constexpr std::string_view kWithEvents =
    "SELECT e.sequence, e.id, e.share, e.path, e.size, e.modified, e.closed FROM delivery d "
    "JOIN file_event e USING(sequence) ";
auto into(std::vector<FileEvents::Pending>& found) {
  return [&found](const Row& row) {
    found.push_back({event_from(row, 1), row.integer(0)});
    return true;
  };
}

}  // namespace

struct FileEvents::Wakes {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<Wake>> by_consumer;
  Wake& of(const std::string& consumer) {
    const std::lock_guard lock(mutex);
    auto& wake = by_consumer[consumer];
    if (!wake) wake = std::make_unique<Wake>();
    return *wake;
  }
};

FileEvents::FileEvents(store::Database& database)
    : database_(database), wakes_(std::make_unique<Wakes>()) {}
FileEvents::~FileEvents() = default;

std::string event_id(const ShareName& share, std::string_view path, uint64_t inode,
                     int64_t modified_ns, uint64_t size) {
  std::string text = share.str() + '\0' + std::string(path) + '\0' + std::to_string(inode) + '\0' +
                     std::to_string(modified_ns) + '\0' + std::to_string(size);
  return hex(as_bytes(hash(HashKind::sha256, as_bytes(text)).substr(0, 16)));
}

Result<std::unique_ptr<FileEvents>> FileEvents::open(store::Database& database) {
  const store::Migration migrations[] = {{1, k_sql_shares_sql}, {2, k_sql_kept_sql}};
  TRY_VOID(database.migrate("shares", migrations));
  std::unique_ptr<FileEvents> events(new FileEvents(database));
  TRY_VOID(database.write_now([&](Tx& tx) -> Result<void> {
    return tx.each("SELECT id FROM file_event", {}, [&](const Row& row) {
      events->known_.insert(std::string(row.text(0)));
      return true;
    });
  }));
  return events;
}

Result<void> FileEvents::register_consumer(const ShareName& share, std::string consumer) {
  TRY_VOID(database_.write_now([&](Tx& tx) -> Result<void> {
    TRY_VOID(
        tx.run("INSERT OR IGNORE INTO delivery(consumer, sequence, state, reason) "
               "SELECT ?, sequence, 0, '' FROM file_event WHERE share = ?",
               {std::string_view(consumer), std::string_view(share.str())}));
    return {};
  }));
  const std::lock_guard lock(mutex_);
  auto& registered = consumers_[share.str()];
  if (std::find(registered.begin(), registered.end(), consumer) == registered.end())
    registered.push_back(std::move(consumer));
  return {};
}

Task<Result<void>> FileEvents::raise(std::vector<FileEvent> events) {
  std::map<std::string, std::vector<std::string>> consumers;
  {
    const std::lock_guard lock(mutex_);
    consumers = consumers_;
  }
  auto work = [events, consumers](Tx& tx) -> Result<void> {
    for (const FileEvent& event : events) {
      TRY(const int64_t fresh,
          tx.run("INSERT OR IGNORE INTO file_event(id, share, path, size, modified, closed) "
                 "VALUES(?, ?, ?, ?, ?, ?)",
                 {std::string_view(event.id), std::string_view(event.share.str()),
                  std::string_view(event.path), static_cast<int64_t>(event.size),
                  nanos(event.modified), nanos(event.closed)}));
      if (fresh == 0) continue;
      const int64_t sequence = tx.last_insert_id();
      const auto found = consumers.find(event.share.str());
      if (found == consumers.end()) continue;
      for (const std::string& consumer : found->second) {
        TRY_VOID(
            tx.run("INSERT INTO delivery(consumer, sequence, state, reason) VALUES(?, ?, 0, '')",
                   {std::string_view(consumer), sequence}));
      }
    }
    return {};
  };
  CO_TRY_VOID(co_await database_.write(std::move(work)));
  {
    const std::lock_guard lock(mutex_);
    for (const FileEvent& event : events) known_.insert(event.id);
  }
  for (const FileEvent& event : events) {
    for (const std::string& consumer : consumers[event.share.str()]) wakes_->of(consumer).notify();
  }
  co_return Result<void>();
}

bool FileEvents::known(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return known_.contains(id);
}

Task<Result<std::vector<FileEvents::Pending>>> FileEvents::pending(std::string consumer,
                                                                   size_t limit, int64_t after) {
  auto work = [consumer, limit, after](Tx& tx) -> Result<std::vector<Pending>> {
    std::vector<Pending> found;
    TRY_VOID(tx.each(
        std::string(kWithEvents) + "WHERE d.consumer = ? AND d.state = 0 AND d.sequence > ? "
                                   "ORDER BY d.sequence LIMIT ?",
        {std::string_view(consumer), after, static_cast<int64_t>(limit)}, into(found)));
    return found;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::vector<FileEvents::Pending>>> FileEvents::done_by(std::string consumer,
                                                                   WallTime then, size_t limit,
                                                                   int64_t after) {
  auto work = [consumer, then, limit, after](Tx& tx) -> Result<std::vector<Pending>> {
    std::vector<Pending> found;
    TRY_VOID(tx.each(
        std::string(kWithEvents) +
            "WHERE d.consumer = ? AND d.state = 1 AND d.ended <= ? AND d.sequence > ? AND NOT "
            "EXISTS(SELECT 1 FROM delivery o WHERE o.sequence = d.sequence AND o.state <> 1) "
            "ORDER BY d.sequence LIMIT ?",
        {std::string_view(consumer), nanos(then), after, static_cast<int64_t>(limit)},
        into(found)));
    return found;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::optional<FileEvent>>> FileEvents::find(std::string id) {
  auto work = [id](Tx& tx) -> Result<std::optional<FileEvent>> {
    std::optional<FileEvent> found;
    TRY_VOID(tx.each("SELECT id, share, path, size, modified, closed FROM file_event WHERE id = ?",
                     {std::string_view(id)}, [&found](const Row& row) {
                       found = event_from(row, 0);
                       return false;
                     }));
    return found;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<void>> FileEvents::forget(std::vector<std::string> ids) {
  auto work = [ids](Tx& tx) -> Result<void> {
    for (const std::string& id : ids) {
      TRY_VOID(tx.run(
          "DELETE FROM delivery WHERE sequence = (SELECT sequence FROM file_event WHERE id = ?)",
          {std::string_view(id)}));
      TRY_VOID(tx.run("DELETE FROM file_event WHERE id = ?", {std::string_view(id)}));
    }
    return {};
  };
  CO_TRY_VOID(co_await database_.write(std::move(work)));
  const std::lock_guard lock(mutex_);
  for (const std::string& id : ids) known_.erase(id);
  co_return Result<void>();
}

Task<Result<void>> FileEvents::done(std::string consumer, std::vector<std::string> ids,
                                    WallTime now) {
  auto work = [consumer, ids, now](Tx& tx) -> Result<void> {
    for (const std::string& id : ids) {
      TRY_VOID(tx.run(
          "UPDATE delivery SET state = 1, reason = '', ended = ? WHERE consumer = ? AND sequence = "
          "(SELECT sequence FROM file_event WHERE id = ?)",
          {nanos(now), std::string_view(consumer), std::string_view(id)}));
    }
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> FileEvents::failed(std::string consumer, std::string id, std::string reason) {
  auto work = [consumer, id, reason](Tx& tx) -> Result<void> {
    TRY_VOID(
        tx.run("UPDATE delivery SET state = 2, reason = ? WHERE consumer = ? AND sequence = "
               "(SELECT sequence FROM file_event WHERE id = ?)",
               {std::string_view(reason), std::string_view(consumer), std::string_view(id)}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<int64_t>> FileEvents::retry(std::string consumer) {
  auto work = [consumer](Tx& tx) {
    return tx.run("UPDATE delivery SET state = 0 WHERE consumer = ? AND state = 2",
                  {std::string_view(consumer)});
  };
  CO_TRY(const int64_t count, co_await database_.write(std::move(work)));
  wakes_->of(consumer).notify();
  co_return count;
}

Task<Result<Counts>> FileEvents::counts(ShareName share, std::string consumer) {
  auto work = [share, consumer](Tx& tx) -> Result<Counts> {
    Counts counts;
    TRY_VOID(tx.each(
        "SELECT d.state, count(*), coalesce(sum(e.size), 0) FROM delivery d JOIN file_event e "
        "USING(sequence) WHERE d.consumer = ? AND e.share = ? GROUP BY d.state",
        {std::string_view(consumer), std::string_view(share.str())}, [&](const Row& row) {
          const auto number = static_cast<uint64_t>(row.integer(1)),
                     bytes = static_cast<uint64_t>(row.integer(2));
          if (row.integer(0) == 0) counts.pending = number, counts.pending_bytes = bytes;
          if (row.integer(0) == 1) counts.done = number, counts.done_bytes = bytes;
          if (row.integer(0) == 2) counts.failed = number;
          return true;
        }));
    return counts;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::vector<Delivery>>> FileEvents::list(ShareName share, std::string state,
                                                     size_t limit) {
  auto work = [share, state, limit](Tx& tx) -> Result<std::vector<Delivery>> {
    std::vector<Delivery> found;
    TRY_VOID(
        tx.each("SELECT e.id, e.share, e.path, e.size, e.modified, e.closed, d.consumer, d.state, "
                "d.reason FROM file_event e JOIN delivery d USING(sequence) "
                "WHERE e.share = ? ORDER BY e.sequence DESC",
                {std::string_view(share.str())}, [&](const Row& row) {
                  const char* name = kStates[row.integer(7)];
                  if (!state.empty() && state != name) return true;
                  Delivery delivery;
                  delivery.event = event_from(row, 0);
                  delivery.consumer = std::string(row.text(6));
                  delivery.state = name;
                  delivery.reason = std::string(row.text(8));
                  found.push_back(std::move(delivery));
                  return found.size() < limit;
                }));
    return found;
  };
  co_return co_await database_.read(std::move(work));
}

Task<void> FileEvents::wait_for_work(std::string consumer, std::chrono::milliseconds most) {
  co_await wakes_->of(consumer).wait(most);
}

}  // namespace holdfast::shares
