// What becomes of files after their upload, where their share keeps such files for a time only.
//
// A file is first moved aside, to <share>/.sent/<event>, where no name leads to it any more, then
// looked at, and removed only where it is the one that was uploaded. So neither a file that another
// program has put in its place is lost, nor what a program still writes into it. What a kill leaves
// aside goes back at the next start, and is removed from there.
#pragma once

#include <set>
#include <string>

#include "net/runtime.h"
#include "shares/file_events.h"

namespace holdfast::uplink {

// True: removed. False: the file is gone, or there is another one, which stays. conflict "in_use":
// a program has it open, or that can not be told: it stays. Blocking.
Result<bool> remove_uploaded(const shares::ShareConfig& share, const shares::FileEvent& event);

// Of one share; all must outlive it. One caller.
class Removal {
 public:
  Removal(const shares::ShareConfig& share, std::string consumer, shares::FileEvents& events,
          BlockingPool& pool, const Clock& clock)
      : share_(share),
        consumer_(std::move(consumer)),
        events_(events),
        pool_(pool),
        clock_(clock) {}

  // Puts back what a process before this one had moved aside. Before the first remove_due().
  Task<Result<void>> recover();
  // Removes what was uploaded long enough ago, and forgets its events; how many files.
  Task<Result<uint64_t>> remove_due();

 private:
  const shares::ShareConfig& share_;
  const std::string consumer_;
  shares::FileEvents& events_;
  BlockingPool& pool_;
  const Clock& clock_;
  std::set<std::string> stays_;  // events whose files can not be removed yet; told once
};

}  // namespace holdfast::uplink
