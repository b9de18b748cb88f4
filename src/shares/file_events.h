// The durable queue of file events. An event says that a file of a share is finished; its id is the
// same after a restart. Each consumer of a share gets every event once in effect: pending until
// done or failed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "shares/share.h"
#include "store/database/database.h"

namespace holdfast::shares {

struct FileEvent {
  std::string id;  // 32 hex digits: SHA-256 over share, path, inode, mtime, size, shortened
  ShareName share;
  std::string path;   // relative, '/'
  uint64_t size = 0;  // bytes
  WallTime modified;  // of the file
  WallTime closed;    // when it was seen finished
};

std::string event_id(const ShareName& share, std::string_view path, uint64_t inode,
                     int64_t modified_ns, uint64_t size);

struct Counts {
  uint64_t pending = 0, done = 0, failed = 0;
  uint64_t pending_bytes = 0, done_bytes = 0;
};
struct Delivery {
  FileEvent event;
  std::string consumer, state, reason;  // state: pending, done, failed
};

// Any thread may call.
class FileEvents {
 public:
  // Migrates the component "shares". `database` must outlive it.
  static Result<std::unique_ptr<FileEvents>> open(store::Database& database);
  ~FileEvents();

  // Before the share's watcher starts. A consumer that is new also gets the share's earlier events.
  Result<void> register_consumer(const ShareName& share, std::string consumer);

  // Durable when it returns; events that are known already are left as they are.
  Task<Result<void>> raise(std::vector<FileEvent> events);
  // Whether an event of this id was raised; from memory, for the rescans.
  bool known(const std::string& id) const;

  // The oldest pending ones, in the order they were raised, after `after` (0: from the front).
  struct Pending {
    FileEvent event;
    int64_t sequence = 0;
  };
  Task<Result<std::vector<Pending>>> pending(std::string consumer, size_t limit, int64_t after = 0);
  Task<Result<void>> done(std::string consumer, std::vector<std::string> ids, WallTime now = {});
  Task<Result<void>> failed(std::string consumer, std::string id, std::string reason);
  // Failed ones become pending again; returns how many.
  Task<Result<int64_t>> retry(std::string consumer);

  // The oldest that were done by then and that no other consumer needs any more; `after` as above.
  Task<Result<std::vector<Pending>>> done_by(std::string consumer, WallTime then, size_t limit,
                                             int64_t after = 0);
  Task<Result<std::optional<FileEvent>>> find(std::string id);
  // As if they had never been: a file that comes again has an event again.
  Task<Result<void>> forget(std::vector<std::string> ids);

  Task<Result<Counts>> counts(ShareName share, std::string consumer);
  // `state` "": all. Newest first.
  Task<Result<std::vector<Delivery>>> list(ShareName share, std::string state, size_t limit);

  // Returns when an event was raised for the consumer since the last call, or after `most`. One
  // waiter a consumer.
  Task<void> wait_for_work(std::string consumer, std::chrono::milliseconds most);

 private:
  explicit FileEvents(store::Database& database);
  struct Wakes;
  store::Database& database_;
  std::unique_ptr<Wakes> wakes_;
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> consumers_;  // by share
  std::set<std::string> known_;
};

}  // namespace holdfast::shares
