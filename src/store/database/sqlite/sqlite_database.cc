#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/cores.h"
#include "base/digest.h"
#include "base/log.h"
#include "store/database/few_rows.h"
#include "store/database/sqlite/checkpoints.h"
#include "store/database/sqlite/connection.h"
#include "store/database/sqlite/snapshots.h"
#include "store/database/sync_failure.h"

namespace holdfast::store {
namespace {

struct Job {
  std::function<Result<void>(Tx&)> work;
  std::function<void(Result<void>)> done;
};

// A queue that closes: pop() gives up to `limit` jobs at once, none when closed and empty.
class Queue {
 public:
  bool push(Job job) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      jobs_.push_back(std::move(job));
    }
    ready_.notify_one();
    return true;
  }
  std::vector<Job> pop(size_t limit) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
    std::vector<Job> taken;
    while (!jobs_.empty() && taken.size() < limit) {
      taken.push_back(std::move(jobs_.front()));
      jobs_.pop_front();
    }
    return taken;
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> jobs_;
  bool closed_ = false;
};

class SqliteDatabase final : public Database, public FewRowsReader {
 public:
  SqliteDatabase(SqliteOptions options, std::unique_ptr<SqliteConnection> writer,
                 std::vector<std::unique_ptr<SqliteConnection>> readers,
                 std::vector<std::unique_ptr<SqliteConnection>> spare)
      : options_(std::move(options)),
        writer_(std::move(writer)),
        readers_(std::move(readers)),
        snapshots_(std::move(spare)),
        checkpoints_(readers_.empty() ? std::string() : options_.path, *writer_) {
    threads_.emplace_back([this] { write_loop(); });
    for (auto& reader : readers_) {
      threads_.emplace_back([this, connection = reader.get()] { read_loop(*connection); });
    }
  }
  ~SqliteDatabase() override {
    writes_.close();
    reads_.close();
    for (auto& thread : threads_) thread.join();
  }

  Result<void> write_now(std::function<Result<void>(Tx&)> work) override {
    std::promise<Result<void>> promise;
    auto future = promise.get_future();
    submit_write(std::move(work), [&](Result<void> done) { promise.set_value(std::move(done)); });
    return future.get();
  }

  Result<void> migrate(std::string_view component, std::span<const Migration> migrations) override {
    return write_now([this, component, migrations](Tx& tx) -> Result<void> {
      TRY_VOID(
          tx.run("CREATE TABLE IF NOT EXISTS migration(component TEXT NOT NULL, number INTEGER NOT "
                 "NULL, applied TEXT NOT NULL, "
                 "PRIMARY KEY(component, number)) WITHOUT ROWID"));
      int64_t done = 0;
      TRY_VOID(tx.each("SELECT max(number) FROM migration WHERE component = ?", {component},
                       [&](const Row& row) {
                         done = row.integer(0);
                         return false;
                       }));
      if (done > static_cast<int64_t>(migrations.size())) {
        return fail(Code::unsupported,
                    "database " + options_.path + " was written by a newer version (" +
                        std::string(component) + " " + std::to_string(done) +
                        ", this program knows " + std::to_string(migrations.size()) + ")");
      }
      for (const Migration& migration : migrations) {
        if (migration.number <= done) continue;
        TRY_VOID(writer_->script(migration.sql));
        TRY_VOID(tx.run("INSERT INTO migration VALUES(?, ?, ?)",
                        {component, int64_t{migration.number},
                         std::string_view(format_rfc3339(SystemClock().now()))}));
      }
      return {};
    });
  }

  std::optional<Result<void>> read_here(const std::function<Result<void>(Tx&)>& work) override {
    return snapshots_.read(work);
  }

 protected:
  void submit_write(std::function<Result<void>(Tx&)> work,
                    std::function<void(Result<void>)> done) override {
    submit(writes_, std::move(work), std::move(done));
  }
  void submit_read(std::function<Result<void>(Tx&)> work,
                   std::function<void(Result<void>)> done) override {
    // A database in memory has one connection; reads then take their turn between the groups.
    submit(readers_.empty() ? writes_ : reads_, std::move(work), std::move(done));
  }

 private:
  void submit(Queue& queue, std::function<Result<void>(Tx&)> work,
              std::function<void(Result<void>)> done) {
    auto kept = std::make_shared<std::function<void(Result<void>)>>(std::move(done));
    if (!queue.push(
            Job{std::move(work), [kept](Result<void> result) { (*kept)(std::move(result)); }})) {
      (*kept)(fail(Code::cancelled, "the database is closed"));
    }
  }

  // One member inside its savepoint; what it wrote stays only when it succeeds.
  Result<void> run_member(Job& job) {
    TRY_VOID(writer_->run("SAVEPOINT member"));
    Result<void> outcome;
    try {
      outcome = job.work(*writer_);
    } catch (const std::exception& e) {
      outcome = fail(Code::internal, std::string("a write threw: ") + e.what());
    }
    if (!outcome) {
      // What can not be taken back must not be committed with the others.
      if (!writer_->run("ROLLBACK TO member")) (void)writer_->run("ROLLBACK");
    }
    if (auto released = writer_->run("RELEASE member"); !released)
      return std::unexpected(released.error());
    return outcome;
  }

  void write_loop() {
    std::vector<Result<void>> outcomes;
    for (;;) {
      std::vector<Job> group = writes_.pop(options_.group_limit);
      if (group.empty()) return;
      outcomes.assign(group.size(), {});
      if (broken_) sync_failed(options_.path);  // a checkpoint's, which failed no group
      Result<void> commit =
          broken_ ? Result<void>(
                        fail(Code::internal,
                             "the database failed to write to disk before; restart to reopen it"))
                  : Result<void>();
      if (commit) {
        snapshots_.let_go();
        if (auto begun = writer_->run("BEGIN IMMEDIATE"); !begun)
          commit = std::unexpected(begun.error());
      }
      if (commit) {
        bool any = false;
        for (size_t i = 0; i < group.size(); ++i) {
          outcomes[i] = run_member(group[i]);
          any = any || outcomes[i].has_value();
          if (sqlite3_get_autocommit(writer_->native()) != 0) {
            // SQLite itself rolled everything back (disk full, I/O error): nobody has succeeded.
            commit = fail(
                Code::unavailable, outcomes[i] ? std::string_view() : outcomes[i].error().reason(),
                "the database could not write: " +
                    (outcomes[i] ? std::string("rolled back") : outcomes[i].error().message()));
            break;
          }
        }
        if (commit) commit = end_group(any);
      }
      for (size_t i = 0; i < group.size(); ++i)
        group[i].done(commit ? std::move(outcomes[i])
                             : Result<void>(std::unexpected(commit.error())));
    }
  }

  Result<void> end_group(bool any) {
    auto ended = writer_->run(any ? "COMMIT" : "ROLLBACK");
    if (ended) {
      // This group is in the log, on disk, and is read from there after a restart.
      if (any) snapshots_.committed();
      if (any && !checkpoints_.committed()) broken_ = true;
      return {};
    }
    // After a failed fsync the kernel may have dropped the pages: nothing later may count as
    // written.
    if ((sqlite3_extended_errcode(writer_->native()) & 0xff) == SQLITE_IOERR) broken_ = true;
    if (sqlite3_get_autocommit(writer_->native()) == 0) (void)writer_->run("ROLLBACK");
    log::error("database", "a commit failed",
               {{"path", options_.path}, {"error", ended.error().message()}});
    if (broken_) sync_failed(options_.path);
    if (broken_) return fail(Code::internal, ended.error().message());
    return std::unexpected(ended.error());
  }

  void read_loop(SqliteConnection& connection) {
    for (;;) {
      std::vector<Job> jobs = reads_.pop(1);
      if (jobs.empty()) return;
      jobs[0].done(run_read(connection, jobs[0].work));
    }
  }

  static Result<void> run_read(SqliteConnection& connection,
                               const std::function<Result<void>(Tx&)>& work) {
    TRY_VOID(connection.run("BEGIN"));
    Result<void> outcome = run_guarded(connection, work);
    (void)connection.run("COMMIT");
    return outcome;
  }

  SqliteOptions options_;
  std::unique_ptr<SqliteConnection> writer_;
  std::vector<std::unique_ptr<SqliteConnection>> readers_;
  Snapshots snapshots_;
  Checkpoints checkpoints_;
  Queue writes_, reads_;
  bool broken_ = false;  // the writer's thread alone
  std::vector<std::thread> threads_;
};

// What an earlier life left in the log may be in memory alone, after a sync that failed: it is
// copied into the database and synced before anybody reads it.
Result<void> settle_log(SqliteConnection& writer) {
  return writer.each("PRAGMA wal_checkpoint(TRUNCATE)", {}, [](const Row&) { return false; });
}

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(SqliteOptions options) {
  const bool memory = options.path == ":memory:";
  TRY(auto writer,
      SqliteConnection::open(options.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  TRY_VOID(
      writer->script("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
                     "PRAGMA cache_size=-16384; PRAGMA secure_delete=OFF; "
                     "PRAGMA journal_size_limit=134217728;"));
  if (!memory) TRY_VOID(settle_log(*writer));
  std::vector<std::unique_ptr<SqliteConnection>> readers, spare;
  // As many for reads on the callers' own threads as can run at once.
  const unsigned count = std::max(1u, options.readers), here = std::min(usable_cores(), 16u);
  for (unsigned i = 0; !memory && i < count + here; ++i) {
    TRY(auto reader, SqliteConnection::open(options.path, SQLITE_OPEN_READWRITE));
    TRY_VOID(reader->script("PRAGMA query_only=ON; PRAGMA cache_size=-2048;"));
    (i < count ? readers : spare).push_back(std::move(reader));
  }
  return std::unique_ptr<Database>(new SqliteDatabase(std::move(options), std::move(writer),
                                                      std::move(readers), std::move(spare)));
}

}  // namespace holdfast::store
