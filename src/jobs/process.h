// One attempt's processes: a session of their own, found and killed whole by the mark in their
// environment, also by a later life of the hub. Blocking: call on a pool.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::jobs {

constexpr std::string_view kMark = "HOLDFAST_ATTEMPT";

// A process as it can be known again: numbers are used anew, start times are not.
struct ProcessId {
  pid_t pid = 0;         // 0: none; also the number of its session and group
  uint64_t started = 0;  // clock ticks since boot (proc(5), stat field 22)
};

struct Command {
  std::vector<std::string> arguments;  // [0] an absolute path; never a secret
  std::string directory;
  std::string log;                                               // stdout and stderr are appended
  std::string mark;                                              // unique to the attempt
  std::vector<std::pair<std::string, std::string>> environment;  // on top of our own
};

// Forks, tells `recorded` who the process will be, executes only after that succeeded, and waits
// for the end. The exit code, 128 + the signal's number where one killed it; what is left of the
// session is killed. What `recorded` fails with (nothing was executed); not_found or denied: it can
// not be executed; unavailable: no process to be had.
using Recorded = std::function<Result<void>(ProcessId)>;
Result<int> run_command(const Command& command, const Recorded& recorded);

// Kills the group, where `process` still leads it. Any thread.
void kill_group(ProcessId process);
// Kills the group and every process that carries the mark; returns when the kernel shows none of
// them alive. timed_out after 10 s.
Result<void> kill_attempt(ProcessId process, std::string_view mark);

}  // namespace holdfast::jobs
