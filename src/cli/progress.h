// Progress of long work on standard error: at most ten times a second on a terminal, a line every
// ten seconds otherwise.
#pragma once

#include <chrono>
#include <string>

namespace holdfast::cli {

class Progress {
 public:
  // `total` in bytes; 0: unknown.
  Progress(std::string what, uint64_t total, bool quiet);
  void at(uint64_t bytes);
  void done();

 private:
  void show(uint64_t bytes, bool last);
  std::string what_;
  uint64_t total_, last_bytes_ = 0;
  bool quiet_, terminal_, shown_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

}  // namespace holdfast::cli
