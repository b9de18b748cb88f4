// All shares of an edge: their watchers and their part of the API.
#pragma once

#include <memory>
#include <vector>

#include "net/http/router.h"
#include "shares/watcher.h"

namespace holdfast::shares {

class Shares {
 public:
  // All must outlive the tasks that start() spawns. Register every consumer with `events` before.
  static Result<std::unique_ptr<Shares>> open(std::vector<ShareConfig> shares, FileEvents& events,
                                              const Clock& clock);
  ~Shares();
  void start(Runtime& runtime, TaskGroup& group);
  const std::vector<ShareConfig>& list() const { return configs_; }
  const ShareConfig* find(const ShareName& name) const;  // null where there is none
  FileEvents& events() { return events_; }

 private:
  Shares(std::vector<ShareConfig> shares, FileEvents& events)
      : configs_(std::move(shares)), events_(events), pool_("shares", 1) {}
  std::vector<ShareConfig> configs_;
  FileEvents& events_;
  BlockingPool pool_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

// GET /api/v1/shares, /api/v1/shares/{name}, /api/v1/shares/{name}/files?state=&limit=
void mount(http::Router& router, Shares& shares);

}  // namespace holdfast::shares
