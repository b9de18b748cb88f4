// Progress of long work on standard error: at most ten times a second on a terminal, a line every
// ten seconds otherwise.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
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

// Progress of work of which only the part that is done is known.
class Share {
 public:
  Share(std::string what, bool quiet);
  void at(double part, const std::string& with);  // 0 to 1
  void done();

 private:
  const std::string what_;
  const bool quiet_, terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

// Progress of work that finds its length out by itself, and tells its steps.
class Bar {
 public:
  Bar(std::string what, bool quiet) : what_(std::move(what)), quiet_(quiet) {}
  std::function<void(uint64_t)> begin() {
    return [this](uint64_t size) { progress_.emplace(what_, size, quiet_); };
  }
  std::function<void(uint64_t)> moved() {
    return [this](uint64_t bytes) {
      if (progress_) progress_->at(at_ += bytes);
    };
  }
  void done() {
    if (progress_) progress_->done();
  }

 private:
  const std::string what_;
  const bool quiet_;
  std::optional<Progress> progress_;
  uint64_t at_ = 0;
};

}  // namespace holdfast::cli
