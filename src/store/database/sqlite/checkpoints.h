// Moves what was committed from the write-ahead log into the database file, on a thread of its own:
// the writer's groups do not wait for it. For sqlite/ alone.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "store/database/sqlite/connection.h"
#include "store/database/sqlite/snapshots.h"

namespace holdfast::store {

// One for a writer.
class Checkpoints {
 public:
  // `writer` and `snapshots` outlive it. "" for `path`: a database in memory, which has no log.
  Checkpoints(std::string path, SqliteConnection& writer, Snapshots& snapshots);
  ~Checkpoints();
  Checkpoints(const Checkpoints&) = delete;
  Checkpoints& operator=(const Checkpoints&) = delete;

  // After each commit, on its thread. internal: a sync has failed, and nothing later may count as
  // written.
  Result<void> committed();
  // The writer's thread: all of the log is moved, so that the next commit begins it anew where no
  // reader's snapshot holds it.
  bool all_moved() const { return all_moved_; }

 private:
  void loop();

  const std::string path_;
  SqliteConnection& writer_;
  Snapshots& snapshots_;
  int pages_ = 0;    // in the log, after the last commit
  int started_ = 0;  // how many there were when the thread was last woken
  bool all_moved_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false, moved_ = false, closing_ = false;
  Result<void> outcome_;
  std::thread thread_;
};

}  // namespace holdfast::store
