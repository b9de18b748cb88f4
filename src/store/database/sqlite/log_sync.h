// Syncs the write-ahead log on a thread of its own, so that the writer runs the next group
// meanwhile. Who wrote, and who read what is not on disk yet, is answered after the sync. For
// sqlite/ alone.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/files.h"
#include "store/database/sqlite/commits.h"
#include "store/database/sqlite/snapshots.h"

namespace holdfast::store {

// The log of the database file `path`, which is open.
Result<Fd> open_log(const std::string& path);

// One for a writer.
class LogSync {
 public:
  using Then = std::function<void(Result<void>)>;

  // `log`: of open_log(path). `idle`: called on this thread where nothing is left to be synced.
  LogSync(std::string path, Fd log, Commits& commits, Snapshots& snapshots,
          std::function<void()> idle);
  ~LogSync();  // after all that was written is synced
  LogSync(const LogSync&) = delete;
  LogSync& operator=(const LogSync&) = delete;

  // The writer's thread, once the commit of the number `Commits::visible` has ended: it is in the
  // log, or failed and is nowhere.
  void ended();
  // Any thread: calls `then` once `commit` is on disk, at once or on the thread of the syncs.
  // internal: it may never be.
  void when_durable(uint64_t commit, Then then);
  // What was committed is not synced yet. A commit meanwhile is allowed, but makes readers wait.
  bool busy() const;
  // A sync has failed, and nothing later may count as written.
  bool broken() const;

 private:
  struct Waiting {
    uint64_t commit;
    Then then;
  };
  void loop();
  std::vector<Then> take_durable();

  const std::string path_;
  const Fd log_;
  Commits& commits_;
  Snapshots& snapshots_;
  const std::function<void()> idle_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t ended_ = 0;
  std::vector<Waiting> waiting_;
  bool busy_ = false, broken_ = false, closing_ = false;
  std::thread thread_;
};

}  // namespace holdfast::store
