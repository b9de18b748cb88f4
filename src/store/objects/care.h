// Looking after what an object store on disk holds: what is used, what is missing, damaged or left
// over, and a slow reading of everything in the background. Beside a store that is open on the same
// directory and database; it opens files by itself. Any thread may call.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "net/runtime.h"
#include "store/objects/object_store.h"

namespace holdfast::store {

struct StorageUsage {
  uint64_t contents = 0, live_bytes = 0;  // held by somebody
  uint64_t released_bytes = 0;            // held by nobody, until the next sweep
  uint64_t segments = 0, files = 0;       // on disk
  uint64_t segment_bytes = 0;             // size of the segments
  uint64_t dead_bytes = 0;                // of them: freed when they are moved together
  uint64_t damaged = 0;                   // places on record
  uint64_t quarantine_bytes = 0;
  uint64_t disk_free = 0;
};

struct StorageFinding {
  std::string kind;  // missing, damaged, orphaned
  std::string file;  // in the store's directory
  int64_t content = 0;
  uint64_t size = 0;
  std::string what;
};
struct StorageCheck {
  uint64_t contents = 0, files = 0;  // looked at
  uint64_t missing = 0, damaged = 0, orphaned = 0;
  std::vector<StorageFinding> findings;  // the first thousand
};

struct StorageRepair {
  uint64_t removed = 0, freed_bytes = 0;  // orphans
  uint64_t quarantined = 0;               // damaged contents of which a copy is kept
  uint64_t cleared = 0;                   // on record as damaged, and found right again
  uint64_t missing = 0;                   // nothing is left of them to repair
};

struct ScrubProgress {
  bool running = false;
  uint64_t bytes = 0, total_bytes = 0;  // of this pass
  uint64_t rate = 0;                    // bytes a second at most
  WallTime started{}, ended{};          // epoch: never
  uint64_t damaged = 0;                 // places on record
};

// How far a pass is; times in milliseconds since 1970, ended 0: under way.
struct ScrubState {
  int64_t cursor = 0, bytes = 0, started = 0, ended = 0;
};

class ContentCare final {
 public:
  // `rate`: of the scrub, bytes a second; 0: none by itself. All must outlive it.
  ContentCare(std::string directory, Database& database, const Clock& clock, uint64_t rate);

  Task<Result<StorageUsage>> usage();
  // Index against files; reads no content. What was written in the last hour is no orphan.
  Task<Result<StorageCheck>> check();
  // Removes orphans, keeps a copy of what is damaged in quarantine/, forgets damage that is none.
  // What can be read before can be read after.
  Task<Result<StorageRepair>> repair();

  // Reads everything once a week, within the rate, from where it was, and removes orphans once a
  // day; ends with its task.
  Task<void> scrub();
  // Begins a pass from the start, at `rate` (0: as fast as it goes).
  Task<Result<void>> scrub_now(uint64_t rate);
  Task<Result<ScrubProgress>> progress();

 private:
  Task<Result<void>> contents(StorageCheck& into);
  Task<Result<void>> forget_released(StorageCheck& into);
  Task<Result<void>> orphans(StorageCheck& into);
  Task<Result<void>> remove_orphans(StorageRepair& into);
  Task<Result<void>> quarantine(const StagedContent& content, StorageRepair& into);
  Task<Result<void>> pass();
  Task<Result<void>> scrub_one(const StagedContent& content);
  Task<Result<void>> mark(ScrubState state, bool begin);
  Task<Result<ScrubState>> state();
  Result<Fd> open_bytes(const StagedContent& content) const;
  std::string path_of(const StagedContent& content) const;

  const std::string directory_;
  Database& database_;
  const Clock& clock_;
  const uint64_t rate_;
  std::atomic<uint64_t> rate_now_;
  std::atomic<bool> wanted_ = false;  // a pass was asked for
  std::atomic<unsigned> round_ = 0;   // how often
  std::atomic<uint64_t> read_ = 0;    // of the pass under way
  std::chrono::nanoseconds owed_{};   // the scrub's task alone: time it is ahead of its rate
  BlockingPool pool_;
};

}  // namespace holdfast::store
