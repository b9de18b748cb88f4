// Uploads every finished file of the cloud shares by itself: small files in one call, large ones in
// blocks that a restart goes on with. A file is uploaded once in effect: what was committed is
// asked for before it is resent. Where the share says so, what is uploaded is removed in time.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/http/router.h"
#include "net/runtime.h"
#include "net/task_group.h"
#include "shares/file_events.h"
#include "store/journal/journal.h"
#include "uplink/target.h"

namespace holdfast::uplink {

struct UplinkShare {
  shares::ShareConfig share;  // a cloud share
  BlobTarget* target;
};
struct UplinkOptions {
  uint64_t block_size = 4 << 20;  // bytes; grows so that a file has at most 50,000 blocks
  uint64_t single_put = 4 << 20;  // up to this size in one call
  unsigned parallel = 4;          // files under way a share
  std::chrono::milliseconds first_delay{1000}, longest_delay{60'000};  // while the hub is away
};
struct ShareProgress {
  uint64_t uploaded_files = 0, uploaded_bytes = 0;  // since the start of this process
  uint64_t removed_files = 0;                       // the same, where the share keeps none for ever
  std::string waiting;  // why the oldest pending file is not uploaded yet; "" when all is well
};

// The name under which a share's events are kept for the uplink.
std::string consumer_of(const shares::ShareName& share);

class Uplink {
 public:
  // Registers the consumers and replays the journal. All must outlive the tasks of start().
  static Result<std::unique_ptr<Uplink>> open(std::vector<UplinkShare> shares,
                                              shares::FileEvents& events, store::Journal& journal,
                                              BlockingPool& pool, const Clock& clock,
                                              UplinkOptions options = {});
  ~Uplink();
  void start(Runtime& runtime, TaskGroup& group);

  // One file, from its event to its commit; what start() does with each. conflict "file_changed":
  // it is no longer the event's file.
  Task<Result<void>> upload(const UplinkShare& share, shares::FileEvent event);

  std::vector<shares::ShareConfig> list() const;
  ShareProgress progress(const shares::ShareName& share) const;  // any thread
  shares::FileEvents& events();

 private:
  struct State;
  struct Share;
  struct Batch;
  explicit Uplink(std::unique_ptr<State> state);
  Task<void> run_share(Runtime& runtime, TaskGroup& group, Share& share);
  Task<Result<void>> round(Runtime& runtime, TaskGroup& group, Share& share);
  Task<void> one(Share& share, shares::FileEvent event, std::shared_ptr<Batch> batch);
  std::unique_ptr<State> state_;
};

// GET /api/v1/uplink, POST /api/v1/uplink/retry (failed files become pending again)
void mount(http::Router& router, Uplink& uplink);

}  // namespace holdfast::uplink
