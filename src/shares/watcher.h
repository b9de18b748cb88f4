// Watches a share's directory tree (inotify) and raises an event for every finished file. The
// directory is the truth: a scan at start, after an overflow and every few minutes finds what the
// kernel did not tell.
#pragma once

#include <memory>

#include "net/task_group.h"
#include "shares/file_events.h"

namespace holdfast::shares {

class Watcher {
 public:
  // Makes the directory where it is not there. All must outlive run(). unavailable: out of inotify
  // watches.
  static Result<std::unique_ptr<Watcher>> open(ShareConfig share, FileEvents& events,
                                               BlockingPool& pool, const Clock& clock);
  ~Watcher();

  // Until cancelled. One caller.
  Task<void> run();
  // Raises what has no event yet. Also what run() does first.
  Task<Result<void>> scan();
  const ShareConfig& share() const;

 private:
  struct State;
  explicit Watcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::shares
