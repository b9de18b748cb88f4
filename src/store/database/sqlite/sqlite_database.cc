#include <sqlite3.h>

#include <algorithm>
#include <future>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/cores.h"
#include "store/database/few_rows.h"
#include "store/database/once_done.h"
#include "store/database/sqlite/commits.h"
#include "store/database/sqlite/connection.h"
#include "store/database/sqlite/job_queue.h"
#include "store/database/sqlite/log_file.h"
#include "store/database/sqlite/log_sync.h"
#include "store/database/sqlite/snapshots.h"
#include "store/database/sqlite/writer.h"

namespace holdfast::store {
namespace {

class SqliteDatabase final : public Database, public FewRowsReader {
 public:
  SqliteDatabase(SqliteOptions options, std::unique_ptr<SqliteConnection> writer,
                 std::vector<std::unique_ptr<SqliteConnection>> readers,
                 std::vector<std::unique_ptr<SqliteConnection>> spare, Fd log)
      : options_(std::move(options)),
        writer_(std::move(writer)),
        readers_(std::move(readers)),
        snapshots_(std::move(spare), commits_) {
    if (log) {
      log_ = std::make_unique<LogSync>(options_.path, std::move(log), commits_, snapshots_,
                                       [writes = writes_] { writes->look_again(); });
    }
    writing_.emplace(options_, *writes_, *writer_, commits_, snapshots_, log_.get());
    for (auto& reader : readers_) {
      threads_.emplace_back([this, connection = reader.get()] { read_loop(*connection); });
    }
  }
  ~SqliteDatabase() override {
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

  std::optional<HereRead> read_here(const std::function<Result<void>(Tx&)>& work) override {
    return snapshots_.read(work);
  }
  bool durable(uint64_t commit) const override { return commits_.durable.load() >= commit; }
  Task<Result<void>> until_durable(uint64_t commit) override {
    return once_done(
        [this, commit](LogSync::Then then) { log_->when_durable(commit, std::move(then)); });
  }

 protected:
  void submit_write(std::function<Result<void>(Tx&)> work,
                    std::function<void(Result<void>)> done) override {
    submit(*writes_, Job{std::move(work), std::move(done)});
  }
  void submit_read(std::function<Result<void>(Tx&)> work,
                   std::function<void(Result<void>)> done) override {
    // A database in memory has one connection; reads then take their turn between the groups.
    submit(readers_.empty() ? *writes_ : reads_, Job{std::move(work), std::move(done)});
  }

 private:
  static void submit(JobQueue& queue, Job job) {
    if (!queue.push(job)) job.done(fail(Code::cancelled, "the database is closed"));
  }

  void read_loop(SqliteConnection& connection) {
    for (;;) {
      std::vector<Job> jobs = reads_.pop(1);
      if (jobs.empty()) return;
      Result<void> outcome = run_read(connection, jobs[0].work);
      // The snapshot may hold what is not on disk yet.
      const auto answer = [done = std::move(jobs[0].done), outcome = std::move(outcome)](
                              const Result<void>& durable) { done(durable ? outcome : durable); };
      log_->when_durable(commits_.visible.load(), answer);
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
  Commits commits_;
  Snapshots snapshots_;
  // Shared: the thread of the syncs may outlive the writer's.
  const std::shared_ptr<JobQueue> writes_ = std::make_shared<JobQueue>();
  JobQueue reads_;
  std::unique_ptr<LogSync> log_;  // none in memory
  std::optional<Writer> writing_;
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
  TRY(auto writer, SqliteConnection::open(options.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                          log_file_vfs()));
  TRY_VOID(
      writer->script("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
                     "PRAGMA cache_size=-16384; PRAGMA secure_delete=OFF; "
                     "PRAGMA journal_size_limit=134217728;"));
  Fd log;
  if (!memory) {
    TRY_VOID(settle_log(*writer));
    TRY(log, open_log(options.path));
  }
  std::vector<std::unique_ptr<SqliteConnection>> readers, spare;
  // As many for reads on the callers' own threads as can run at once.
  const unsigned count = std::max(1u, options.readers), here = std::min(usable_cores(), 16u);
  for (unsigned i = 0; !memory && i < count + here; ++i) {
    TRY(auto reader, SqliteConnection::open(options.path, SQLITE_OPEN_READWRITE));
    TRY_VOID(reader->script("PRAGMA query_only=ON; PRAGMA cache_size=-2048;"));
    (i < count ? readers : spare).push_back(std::move(reader));
  }
  return std::unique_ptr<Database>(new SqliteDatabase(
      std::move(options), std::move(writer), std::move(readers), std::move(spare), std::move(log)));
}

}  // namespace holdfast::store
