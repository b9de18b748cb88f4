#include "store/database/sqlite/log_sync.h"

#include <fcntl.h>

#include <utility>

#include "base/log.h"
#include "store/database/sync_failure.h"
#include "store/group_sync.h"

namespace holdfast::store {
// SQLite locks the database file, never its log: closing this descriptor lets no lock go.
Result<Fd> open_log(const std::string& path) {
  return open_file(path + "-wal", O_RDWR);
}

LogSync::LogSync(std::string path, Fd log, Commits& commits, Snapshots& snapshots,
                 std::function<void()> idle)
    : path_(std::move(path)),
      log_(std::move(log)),
      commits_(commits),
      snapshots_(snapshots),
      idle_(std::move(idle)),
      thread_([this] { loop(); }) {}

LogSync::~LogSync() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void LogSync::ended() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = commits_.visible.load();
    busy_ = !broken_;
  }
  changed_.notify_one();
}

void LogSync::when_durable(uint64_t commit, Then then) {
  bool broken = false;
  {
    const std::lock_guard lock(mutex_);
    if (commits_.durable.load() < commit) {
      broken = broken_;
      if (!broken) {
        waiting_.push_back({commit, std::move(then)});
        return;
      }
    }
  }
  then(broken ? after_sync_failure() : Result<void>());
}

bool LogSync::busy() const {
  const std::lock_guard lock(mutex_);
  return busy_;
}

bool LogSync::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

// Under the lock.
std::vector<LogSync::Then> LogSync::take_durable() {
  std::vector<Then> taken;
  std::vector<Waiting> later;
  for (Waiting& one : waiting_) {
    if (broken_ || one.commit <= commits_.durable.load()) {
      taken.push_back(std::move(one.then));
    } else {
      later.push_back(std::move(one));
    }
  }
  waiting_ = std::move(later);
  return taken;
}

void LogSync::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || busy_; });
    if (!busy_) return;
    const uint64_t upto = ended_;
    lock.unlock();
    const Result<void> synced = sync_data(log_.get());
    if (!synced) {
      log::error("database", "a commit could not be synced",
                 {{"path", path_}, {"error", synced.error().message()}});
      sync_failed(path_);  // before anybody is answered
    } else {
      commits_.durable = upto;
      snapshots_.renew();
    }
    lock.lock();
    broken_ = !synced;
    busy_ = synced && ended_ > upto;
    const bool idle = !busy_;
    const std::vector<Then> taken = take_durable();
    lock.unlock();
    if (idle) idle_();  // the writer's next commit comes first
    for (const Then& then : taken) then(synced ? Result<void>() : after_sync_failure());
    lock.lock();
  }
}

}  // namespace holdfast::store
