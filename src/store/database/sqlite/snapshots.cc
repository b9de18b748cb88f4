#include "store/database/sqlite/snapshots.h"

#include <sqlite3.h>

#include <utility>

namespace holdfast::store {

Result<void> run_guarded(SqliteConnection& connection,
                         const std::function<Result<void>(Tx&)>& work) {
  try {
    return work(connection);
  } catch (const std::exception& e) {
    return fail(Code::internal, std::string("a read threw: ") + e.what());
  }
}

Snapshots::Snapshots(std::vector<std::unique_ptr<SqliteConnection>> connections,
                     const Commits& commits)
    : commits_(commits) {
  for (auto& connection : connections) {
    Reader reader;
    reader.connection = std::move(connection);
    free_.push_back(std::move(reader));
  }
}

// SQLite ends a transaction by itself after some errors.
bool Snapshots::begun(const Reader& reader) {
  return sqlite3_get_autocommit(reader.connection->native()) == 0;
}

void Snapshots::end(Reader& reader) {
  if (begun(reader)) (void)reader.connection->run("COMMIT");
}

std::optional<HereRead> Snapshots::read(const std::function<Result<void>(Tx&)>& work) {
  Reader reader;
  {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::nullopt;
    reader = std::move(free_.back());
    free_.pop_back();
  }
  // Looked at before the snapshot is taken, which may hold more than that but not less.
  const uint64_t durable = commits_.durable.load();
  if (reader.has != durable) end(reader);
  Result<void> outcome;
  if (!begun(reader)) {
    if (auto begin = reader.connection->run("BEGIN"); !begin)
      outcome = std::unexpected(std::move(begin).error());
    reader.has = durable;
    reader.seen = 0;
  }
  if (outcome) outcome = run_guarded(*reader.connection, work);
  // The first statement takes the snapshot, so what was visible is only known after it.
  if (reader.seen == 0) reader.seen = commits_.visible.load();
  reader.used = true;
  HereRead read{std::move(outcome), reader.seen};
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!begun(reader) || reader.has == commits_.durable.load()) {
      free_.push_back(std::move(reader));
      return read;
    }
    lock.unlock();
    end(reader);
  }
}

void Snapshots::let_go() {
  const std::lock_guard lock(mutex_);
  for (Reader& reader : free_) end(reader);
}

void Snapshots::renew() {
  const std::lock_guard lock(mutex_);
  for (Reader& reader : free_) {
    end(reader);
    if (!std::exchange(reader.used, false)) continue;
    reader.has = commits_.durable.load();
    const auto first = [](const Row&) { return false; };
    if (reader.connection->run("BEGIN"))
      (void)reader.connection->each("SELECT 1 FROM sqlite_schema LIMIT 1", {}, first);
    reader.seen = commits_.visible.load();
  }
}

}  // namespace holdfast::store
