// Keeps one child process running: spawns it, restarts it with back-off, stops it gracefully.
//
// Each Supervisor has one small thread of its own that forks and waits for the child. The kernel
// ties PR_SET_PDEATHSIG to the forking *thread*, so that thread lives exactly as long as the
// Supervisor: a parent killed with -9 takes the child with it, and nothing else does.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace holdfast::supervisor {

struct Program {
  std::string name;                  // in logs and status: "serve"
  std::vector<std::string> command;  // an absolute program path and its arguments; never a secret
  std::vector<std::pair<std::string, std::string>> environment;  // set on top of our own
  std::string log_file;  // its stdout and stderr are appended here; empty: to our stderr
  bool restart = true;   // false: one life
  std::chrono::milliseconds first_delay{100};  // before the first restart; doubles each time
  std::chrono::milliseconds longest_delay{10000};
  std::chrono::milliseconds stable_after{30000};  // a life this long starts the delays anew
  std::chrono::milliseconds stop_grace{10000};    // between SIGTERM and SIGKILL
};

enum class State { stopped, running, waiting, failed };  // waiting: dead, until its next start
std::string_view to_string(State state);

struct Status {
  State state = State::stopped;
  pid_t pid = 0;          // 0 unless running
  unsigned restarts = 0;  // starts after the first
  int exit_code = 0;      // of the last end; 128 + the signal's number where one killed it
  std::string last_exit;  // "exited with 1", "killed by signal 9"; empty before the first end
};

// start() and stop() by one owner; status() from any thread.
class Supervisor {
 public:
  explicit Supervisor(Program program);
  ~Supervisor();  // stops
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Returns when the first child runs. not_found or denied: the program can not be executed;
  // unavailable: no process or descriptor to be had; invalid_argument: an empty or relative
  // command.
  Result<void> start();
  // SIGTERM, SIGKILL after the grace, until the child is reaped. Blocking. Idempotent.
  void stop();
  Status status() const;

 private:
  struct Life;
  std::unique_ptr<Life> life_;
};

// The path of a program that lies beside the running one ("/usr/bin/holdfast-serve"). not_found.
Result<std::string> program_beside(std::string_view name);

}  // namespace holdfast::supervisor
