#include "store/database/sqlite/snapshots.h"

#include <sqlite3.h>

namespace holdfast::store {

Result<void> run_guarded(SqliteConnection& connection,
                         const std::function<Result<void>(Tx&)>& work) {
  try {
    return work(connection);
  } catch (const std::exception& e) {
    return fail(Code::internal, std::string("a read threw: ") + e.what());
  }
}

Snapshots::Snapshots(std::vector<std::unique_ptr<SqliteConnection>> connections) {
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

std::optional<Result<void>> Snapshots::read(const std::function<Result<void>(Tx&)>& work) {
  Reader reader;
  {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::nullopt;
    reader = std::move(free_.back());
    free_.pop_back();
  }
  // Looked at before the snapshot is taken, which may hold more than that but not less.
  const uint64_t commits = commits_.load();
  if (reader.commits != commits) end(reader);
  Result<void> outcome;
  if (!begun(reader)) {
    if (auto begin = reader.connection->run("BEGIN"); !begin)
      outcome = std::unexpected(std::move(begin).error());
    reader.commits = commits;
  }
  if (outcome) outcome = run_guarded(*reader.connection, work);
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!begun(reader) || reader.commits == commits_.load()) {
      free_.push_back(std::move(reader));
      return outcome;
    }
    lock.unlock();
    end(reader);
  }
}

void Snapshots::committed() {
  ++commits_;
  let_go();
}

void Snapshots::let_go() {
  const std::lock_guard lock(mutex_);
  for (Reader& reader : free_) end(reader);
}

}  // namespace holdfast::store
