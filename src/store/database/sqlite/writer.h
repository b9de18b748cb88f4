// The writer's thread: runs the writes that wait as one group, each inside a savepoint of its own,
// and commits it. For sqlite/ alone.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "store/database/sqlite/checkpoints.h"
#include "store/database/sqlite/commits.h"
#include "store/database/sqlite/connection.h"
#include "store/database/sqlite/job_queue.h"
#include "store/database/sqlite/log_sync.h"
#include "store/database/sqlite/snapshots.h"

namespace holdfast::store {

class Writer {
 public:
  // All outlive it. `log` nullptr: a database in memory.
  Writer(const SqliteOptions& options, JobQueue& jobs, SqliteConnection& connection,
         Commits& commits, Snapshots& snapshots, LogSync* log);
  ~Writer();  // closes the queue, and ends after all that is in it
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

 private:
  struct Member {
    Job job;
    Result<void> outcome;
    std::vector<std::function<Result<void>()>> awaited;  // what must be on disk before the commit
    bool lost = false;                                   // it never came there
  };
  // What its members gave, until they may be told.
  struct Group {
    std::vector<Member> members;
    Result<void> commit;

    void answer(const Result<void>& durable);
  };
  void loop();
  Result<void> begin();
  void take_in(Group& group, std::vector<Job> jobs);
  void run(Group& group, Member& member);
  Result<void> run_inside(Job& job);
  bool lose(Group& group);
  Result<void> end(const Group& group);

  const SqliteOptions& options_;
  JobQueue& jobs_;
  SqliteConnection& connection_;
  Commits& commits_;
  Snapshots& snapshots_;
  LogSync* const log_;
  Checkpoints checkpoints_;
  bool broken_ = false;  // this thread alone
  std::thread thread_;
};

}  // namespace holdfast::store
