// What happens to blobs, told to the webhooks of hub.yaml.
#pragma once

#include "blob/feed/feed.h"
#include "config.h"
#include "events/delivery.h"
#include "net/runtime.h"
#include "net/task_group.h"

namespace holdfast {

class EventsPart {
 public:
  // All must outlive it. Blocking.
  static Result<std::unique_ptr<EventsPart>> open(const HubConfig& config,
                                                  store::Database& database, blob::Blobs& blobs,
                                                  const Clock& clock);
  void start(Runtime& runtime, std::string blob_url);
  void stop();  // blocking

 private:
  EventsPart(const HubConfig& config, store::Database& database, blob::Blobs& blobs,
             const Clock& clock)
      : config_(config), database_(database), blobs_(blobs), clock_(clock) {}
  const HubConfig& config_;
  store::Database& database_;
  blob::Blobs& blobs_;
  const Clock& clock_;
  http::Client client_;
  std::vector<std::unique_ptr<events::Delivery>> deliveries_;
  std::unique_ptr<blob::ChangeFeed> feed_;
  std::atomic<bool> started_{false};
  TaskGroup group_;
};

}  // namespace holdfast
