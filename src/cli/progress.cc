#include "cli/progress.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/bytes.h"

namespace holdfast::cli {
namespace {

// A line that rewrites itself needs a terminal that can, and a user who wants it.
bool can_rewrite() {
  const char* plain = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && (plain == nullptr || *plain == '\0') && term != nullptr &&
         std::string_view(term) != "dumb";
}

}  // namespace

Progress::Progress(std::string what, uint64_t total, bool quiet)
    : what_(std::move(what)),
      total_(total),
      quiet_(quiet),
      terminal_(can_rewrite()),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

void Progress::at(uint64_t bytes) {
  last_bytes_ = bytes;
  const auto now = std::chrono::steady_clock::now();
  if (quiet_ || now - last_ < (terminal_ ? std::chrono::milliseconds(100)
                                         : std::chrono::milliseconds(10'000)))
    return;
  last_ = now;
  show(bytes, false);
}

void Progress::done() {
  if (!quiet_ && shown_) show(last_bytes_, true);
}

void Progress::show(uint64_t bytes, bool last) {
  shown_ = true;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
  std::string line = what_ + ": " + format_size(bytes);
  if (total_ > 0) line += " of " + format_size(total_);
  line += ", " + format_size(static_cast<uint64_t>(rate)) + "/s";
  if (!last && total_ > bytes && rate > 0)
    line += ", " +
            std::to_string(static_cast<uint64_t>(static_cast<double>(total_ - bytes) / rate)) +
            " s left";
  std::fprintf(stderr, terminal_ ? "\r\033[K%s%s" : "%s%s", line.c_str(),
               terminal_ && !last ? "" : "\n");
}

Share::Share(std::string what, bool quiet)
    : what_(std::move(what)),
      quiet_(quiet),
      terminal_(can_rewrite()),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

void Share::at(double part, const std::string& with) {
  const auto now = std::chrono::steady_clock::now();
  if (quiet_ || now - last_ < (terminal_ ? std::chrono::milliseconds(100)
                                         : std::chrono::milliseconds(10'000)))
    return;
  last_ = now;
  shown_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  std::string line = what_ + ": " + std::to_string(static_cast<int>(part * 100)) + " %, " + with;
  if (part > 0.05 && part < 1)
    line += ", " + std::to_string(static_cast<int>(seconds * (1 - part) / part)) + " s left";
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", line.c_str());
}

void Share::done() {
  if (shown_ && terminal_) std::fputs("\r\033[K", stderr);
}

}  // namespace holdfast::cli
