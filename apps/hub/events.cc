#include "events.h"

#include <algorithm>

namespace holdfast {
namespace {

// No event tells of a dead letter: it could become one itself.
Task<Result<void>> bury(blob::Blobs& blobs, std::string account, std::string container,
                        std::string name, std::string body) {
  CO_TRY(auto writer, co_await blobs.objects().create(body.size()));
  CO_TRY_VOID(co_await writer->append(as_bytes(body)));
  CO_TRY(store::StagedContent content, co_await writer->finish());
  blob::NewBlob wanted;
  wanted.headers = {{"Content-Type", "application/json"}};
  blob::Conditions conditions;
  conditions.untold = true;
  blob::BlobKey key(std::move(account), std::move(container), std::move(name));
  CO_TRY_VOID(co_await blobs.put_blob(std::move(key), std::move(content), std::move(wanted),
                                      std::move(conditions)));
  co_return Result<void>();
}

bool has_feed(const HubConfig& config) {
  return std::ranges::any_of(config.storage_accounts,
                             [](const auto& account) { return account.second.change_feed; });
}

}  // namespace

Result<std::unique_ptr<EventsPart>> EventsPart::open(const HubConfig& config,
                                                     store::Database& database, blob::Blobs& blobs,
                                                     const Clock& clock) {
  std::unique_ptr<EventsPart> part(new EventsPart(config, database, blobs, clock));
  std::vector<std::string> names;
  names.reserve(config.subscriptions.size());
  for (const events::Subscription& one : config.subscriptions) names.push_back(one.name);
  if (has_feed(config)) names.emplace_back(blob::ChangeFeed::kConsumer);
  TRY_VOID(database.write_now(
      [&](store::Tx& tx) -> Result<void> { return events::keep_consumers(tx, names); }));
  // Nothing is told before the start.
  if (!config.subscriptions.empty())
    blobs.observe([part = part.get()](const blob::BlobKey&) {
      if (!part->started_.load(std::memory_order_acquire)) return;
      for (const auto& delivery : part->deliveries_) delivery->wake();
    });
  return part;
}

void EventsPart::start(Runtime& runtime, std::string blob_url) {
  events::DeliveryParts parts;
  parts.database = &database_;
  parts.clock = &clock_;
  parts.post = events::http_post(client_);
  parts.bury = [&blobs = blobs_](std::string account, std::string container, std::string name,
                                 std::string body) {
    return bury(blobs, std::move(account), std::move(container), std::move(name), std::move(body));
  };
  parts.origins = events::origins(config_.domain, std::move(blob_url));
  for (const events::Subscription& one : config_.subscriptions)
    deliveries_.push_back(std::make_unique<events::Delivery>(one, parts));
  if (has_feed(config_)) {
    feed_ = std::make_unique<blob::ChangeFeed>(blobs_, parts.origins, config_.feed_delay);
    group_.spawn(runtime.next_executor(), "change feed", feed_->run());
  }
  started_.store(true, std::memory_order_release);
  for (const auto& delivery : deliveries_)
    group_.spawn(runtime.next_executor(), "events", delivery->run());
}

void EventsPart::stop() {
  group_.cancel();
  run_task(group_.join());
}

}  // namespace holdfast
