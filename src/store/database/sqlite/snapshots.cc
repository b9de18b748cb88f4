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

// The first statement takes the snapshot, and only after it is known what was visible: it is made
// here, so that none is taken later than what is said of it.
Result<void> Snapshots::begin(Reader& reader) const {
  // Looked at before the snapshot is taken, which may hold more than that but not less.
  reader.has = commits_.durable.load();
  TRY_VOID(reader.connection->run("BEGIN"));
  const auto first = [](const Row&) { return false; };
  TRY_VOID(reader.connection->each("SELECT 1 FROM sqlite_schema LIMIT 1", {}, first));
  reader.seen = commits_.visible.load();
  return {};
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
  if (reader.has != commits_.durable.load()) end(reader);
  Result<void> outcome;
  if (!begun(reader)) {
    outcome = begin(reader);
    if (!outcome) end(reader);
  }
  if (outcome) outcome = run_guarded(*reader.connection, work);
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
    if (std::exchange(reader.used, false) && !begin(reader)) end(reader);
  }
}

}  // namespace holdfast::store
