// The database seam: synchronous transactions on a writer thread with group commit; snapshot reads
// on a pool.
//
// A write is a repeatable function Result<T>(Tx&). Many writes share one SQL transaction, each in a
// savepoint of its own: one that returns an error is rolled back alone. The caller resumes, on its
// own executor, after the group's commit is on disk; a failed commit fails every member with
// `internal`. Nothing may await inside. Common failures: unavailable (disk full, busy), internal
// (corrupt), cancelled.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "net/task.h"

namespace holdfast::store {

using Value = std::variant<std::monostate, int64_t, double, std::string_view, ByteView>;

// A row during a query; texts and blobs die with the callback.
class Row {
 public:
  virtual ~Row() = default;
  virtual bool is_null(int column) const = 0;
  virtual int64_t integer(int column) const = 0;
  virtual double number(int column) const = 0;
  virtual std::string_view text(int column) const = 0;
  virtual ByteView blob(int column) const = 0;
};

// Inside one transaction; only on the thread that runs it.
class Tx {
 public:
  virtual ~Tx() = default;
  // Rows changed. conflict on a broken unique or foreign-key constraint.
  virtual Result<int64_t> run(std::string_view sql, std::span<const Value> values) = 0;
  Result<int64_t> run(std::string_view sql, std::initializer_list<Value> values = {}) {
    return run(sql, std::span<const Value>(values.begin(), values.size()));
  }
  // Calls `row` for each until it returns false.
  virtual Result<void> each(std::string_view sql, std::span<const Value> values,
                            const std::function<bool(const Row&)>& row) = 0;
  Result<void> each(std::string_view sql, std::initializer_list<Value> values,
                    const std::function<bool(const Row&)>& row) {
    return each(sql, std::span<const Value>(values.begin(), values.size()), row);
  }
  virtual int64_t last_insert_id() const = 0;
  // What must be on disk before what this transaction did: `ready` waits for it, on the writer's
  // thread, at the end of the group. Where it fails, so does the transaction, alone.
  virtual void before_commit(std::function<Result<void>()> ready) = 0;
};

struct Migration {
  int number;            // 1, 2, 3 … without holes
  std::string_view sql;  // several statements
};

// Any thread may call.
class Database {
 public:
  virtual ~Database() = default;

  // F: Result<T>(Tx&), copyable, repeatable (a group may be run again). Resumes after the commit is
  // durable.
  template <class F>
  auto write(F work) -> Task<std::invoke_result_t<F, Tx&>>;
  // F: Result<T>(Tx&), reading only, on one consistent snapshot.
  template <class F>
  auto read(F work) -> Task<std::invoke_result_t<F, Tx&>>;
  // For start-up and tests: the same, blocking the calling thread.
  virtual Result<void> write_now(std::function<Result<void>(Tx&)> work) = 0;

  // Brings `component` (its own number line, so that several services share a file) up to the last
  // one.
  virtual Result<void> migrate(std::string_view component,
                               std::span<const Migration> migrations) = 0;

 protected:
  // `done` is called once, on any thread.
  virtual void submit_write(std::function<Result<void>(Tx&)> work,
                            std::function<void(Result<void>)> done) = 0;
  virtual void submit_read(std::function<Result<void>(Tx&)> work,
                           std::function<void(Result<void>)> done) = 0;
  // For databases that wrap another.
  static void forward_write(Database& to, std::function<Result<void>(Tx&)> work,
                            std::function<void(Result<void>)> done) {
    to.submit_write(std::move(work), std::move(done));
  }
  static void forward_read(Database& to, std::function<Result<void>(Tx&)> work,
                           std::function<void(Result<void>)> done) {
    to.submit_read(std::move(work), std::move(done));
  }

 private:
  enum class Kind { read, write };
  // Resumes on the caller's executor once the work is done.
  Task<Result<void>> perform(Kind kind, std::function<Result<void>(Tx&)> work);
};

struct SqliteOptions {
  std::string path;  // ":memory:" for tests
  unsigned readers = 2;
  size_t group_limit = 512;  // writes a commit
};
// WAL, each commit synced before it is told, foreign keys on.
Result<std::unique_ptr<Database>> open_sqlite(SqliteOptions options);

}  // namespace holdfast::store

#include "store/database/database_impl.h"
