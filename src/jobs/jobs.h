// Command jobs: queued, run as local processes, finished once. Any thread; start, stop: the owner.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "data/assets.h"
#include "jobs/environment.h"
#include "jobs/job.h"
#include "net/runtime.h"
#include "net/task_group.h"
#include "net/wake.h"

namespace holdfast::jobs {

struct Options {
  std::string directory;                    // absolute: jobs/, code/ and environments/ below it
  std::string python = "/usr/bin/python3";  // the base interpreter
  unsigned slots = 1;                       // jobs at a time
  std::map<std::string, std::vector<std::string>> environments;  // name → requirements
  Hooks hooks;
};

// Common failures: not_found "job_not_found", unavailable, internal.
class Jobs {
 public:
  // Migrates component "jobs". All must outlive it.
  static Result<std::unique_ptr<Jobs>> open(Options options, store::Database& database,
                                            data::Assets& assets, const Clock& clock);
  ~Jobs();  // stops

  // Ends what an earlier life left running, queues it again, and runs. Blocking.
  Result<void> start(Runtime& runtime);
  // Kills what runs; it is the next start's to run again. Blocking. Idempotent.
  void stop();

  // The snapshot's id, durable. invalid_argument, too_large (code.h).
  Task<Result<std::string>> put_code(std::string tar);
  // `name` empty: the YAML's, else one is made. The same name with the same YAML and code: the job
  // that is there. conflict "job_exists": with others; not_found "code_not_found",
  // "environment_not_found"; invalid_argument with line and column. `code` empty: none.
  Task<Result<Job>> create(std::string name, std::string yaml, std::string code);
  Task<Result<std::vector<Job>>> list(size_t limit);  // newest first
  Task<Result<Job>> find(std::string name);
  // Asks for the end; the status follows. conflict "job_finished" where it is over otherwise.
  Task<Result<Job>> cancel(std::string name);

  std::string log_path(const std::string& name) const;
  std::string outputs_path(const Job& job) const;
  BlockingPool& pool() { return pool_; }

 private:
  struct Claimed;
  Jobs(Options options, store::Database& database, data::Assets& assets, const Clock& clock);
  std::string attempt_path(const Job& job) const;
  void notify();
  Task<void> slot(Wake& wake);
  Task<Result<std::optional<Claimed>>> claim();
  Task<void> run(Claimed claimed);
  Task<Result<int>> attempt(Claimed& claimed);
  Task<Result<void>> resolve(Job& job);
  Result<void> make_folders(const Job& job);
  Task<Result<void>> fill_inputs(const Job& job);
  Result<std::string> bound_command(const Job& job);
  Task<Result<void>> enter_running(Job& job);
  Result<void> record(const std::string& name, ProcessId process);
  Task<void> conclude(std::string name, Status outcome, int exit_code, std::string error);
  Task<void> finish(std::string name);
  bool cancelled(const std::string& name);

  Options options_;
  store::Database& database_;
  data::Assets& assets_;
  const Clock& clock_;
  Environments environments_;
  Runtime* runtime_ = nullptr;
  BlockingPool pool_;
  std::vector<std::unique_ptr<Wake>> wakes_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::map<std::string, ProcessId> running_;  // by job; under mutex_
  std::set<std::string> cancelled_;           // under mutex_
  std::unique_ptr<TaskGroup> group_;
};

}  // namespace holdfast::jobs
