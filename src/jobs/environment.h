// The interpreter of a job: the base one where it has what is asked for, else a virtual environment
// on top of it, made once for each set of requirements. Blocking: call on a pool.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "jobs/process.h"

namespace holdfast::jobs {

class Environments {
 public:
  // `python` is the base interpreter's absolute path; `directory` is made when it is needed.
  Environments(std::string python, std::string directory)
      : python_(std::move(python)), directory_(std::move(directory)) {}

  // The folder of the interpreter that satisfies `requirements`, to stand first in PATH. `frame`
  // gives log, mark and folder of what is run; `recorded` as of run_command(). internal: pip failed
  // (the log tells why), and what failed is tried again by the next one who asks.
  Result<std::string> prepare(std::vector<std::string> requirements, const Command& frame,
                              const Recorded& recorded);

 private:
  std::string python_, directory_;
  std::mutex one_at_a_time_;
  std::map<std::string, std::string> ready_;  // digest of the requirements → folder
};

}  // namespace holdfast::jobs
