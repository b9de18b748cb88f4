// `holdfast-serve measure …` as a process of the server's own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast {

// Its process id. `words` follow "measure"; what it prints is lost, its complaints go to the
// descriptor, or with ours where that is negative.
Result<pid_t> start_measuring(std::vector<std::string> words, int complaints = -1);

struct Ended {
  int status = 0;     // as waitpid() says
  std::string said;   // its complaints, a few KiB at most, without a last line end
  bool late = false;  // it was killed, since it took longer than it may
};
// Blocking.
Result<Ended> run_measuring(std::vector<std::string> words, std::chrono::milliseconds at_most);

}  // namespace holdfast
