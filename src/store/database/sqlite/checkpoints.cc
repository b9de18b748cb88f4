#include "store/database/sqlite/checkpoints.h"

#include <sqlite3.h>

#include <utility>

#include "base/log.h"

namespace holdfast::store {
namespace {

constexpr int kPages = 12000;      // 48 MiB
constexpr int kManyPages = 48000;  // the writer waits for a pass of its own, whatever it takes

// As far as no reader needs the log as it is.
Result<void> pass(SqliteConnection& connection, const std::string& path) {
  const int code = sqlite3_wal_checkpoint_v2(connection.native(), nullptr,
                                             SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {};
    default:
      break;
  }
  const std::string why = sqlite3_errmsg(connection.native());
  log::error("database", "a checkpoint failed", {{"path", path}, {"error", why}});
  // After a failed sync the kernel may have dropped the pages, and the next pass would take them
  // for written. After any other failure the log still has all, and the next pass writes it again.
  if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
    return fail(Code::internal, "database: " + why);
  return {};
}

int on_commit(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

Checkpoints::Checkpoints(std::string path, SqliteConnection& writer, Snapshots& snapshots)
    : path_(std::move(path)), writer_(writer), snapshots_(snapshots) {
  // In place of SQLite's own, which runs inside of a commit.
  if (!path_.empty()) sqlite3_wal_hook(writer_.native(), on_commit, &pages_);
}

Checkpoints::~Checkpoints() {
  if (!path_.empty()) sqlite3_wal_hook(writer_.native(), nullptr, nullptr);
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Result<void> Checkpoints::committed() {
  if (pages_ < started_) {  // the log began anew
    started_ = 0;
    all_moved_ = false;
  }
  if (pages_ < kPages) return {};
  bool moved = false;
  {
    const std::lock_guard lock(mutex_);
    TRY_VOID(outcome_);
    moved = std::exchange(moved_, false);
    if (!moved && !wanted_ && pages_ - started_ >= kPages) {
      started_ = pages_;
      wanted_ = true;
    }
  }
  // What came during the pass is little.
  if (moved || pages_ >= kManyPages) {
    all_moved_ = true;
    snapshots_.let_go();
    return pass(writer_, path_);
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
  changed_.notify_one();
  return {};
}

void Checkpoints::loop() {
  auto opened = SqliteConnection::open(path_, SQLITE_OPEN_READWRITE);
  if (opened) {
    if (auto set = (*opened)->script("PRAGMA synchronous=FULL; PRAGMA cache_size=-256;"); !set)
      opened = std::unexpected(set.error());
  }
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || wanted_; });
    if (closing_) return;
    lock.unlock();
    // Without a connection the writer makes the passes.
    Result<void> done = opened ? pass(**opened, path_) : Result<void>();
    lock.lock();
    wanted_ = false;
    moved_ = true;
    if (!done) outcome_ = std::move(done);
  }
}

}  // namespace holdfast::store
