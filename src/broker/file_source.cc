#include "broker/file_source.h"

#include <boost/json/serialize.hpp>

#include "base/log.h"

namespace holdfast::broker {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kLook{1000};
constexpr size_t kUnderWay = 64;  // events of a share that are queued and not acknowledged

std::string consumer_of(const shares::ShareName& share) {
  return "modules:" + share.str();
}

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::open(std::vector<shares::ShareName> shares,
                                                     shares::FileEvents& events, Broker& broker) {
  for (const auto& share : shares) TRY_VOID(events.register_consumer(share, consumer_of(share)));
  return std::unique_ptr<FileSource>(new FileSource(std::move(shares), events, broker));
}

void FileSource::start(Executor executor, TaskGroup& group) {
  executor_ = executor;
  group_ = &group;
  broker_.queue().on_event_done(
      [this](std::string event) { group_->spawn(*executor_, "event", finish(std::move(event))); });
  // With its module: it is pending again, for whom a route leads to now.
  broker_.queue().on_event_dropped([this](const std::string& event) {
    const std::lock_guard lock(mutex_);
    under_way_.erase(event);
  });
  for (const auto& share : shares_) group.spawn(executor, "file events " + share.str(), run(share));
}

Task<void> FileSource::run(shares::ShareName share) {
  const std::string consumer = consumer_of(share),
                    source = "/messages/modules/shares/outputs/" + share.str();
  while (true) {
    size_t begun = 0, mine = 0;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [event, of] : under_way_) mine += of == consumer ? 1 : 0;
    }
    if (mine < kUnderWay && broker_.has_route(source)) {
      auto pending = co_await events_.pending(consumer, kUnderWay);
      if (!pending)
        log::warning("broker", "the event queue can not be read",
                     {{"error", pending.error().message()}});
      for (size_t i = 0; pending && i < pending->size(); ++i) {
        const shares::FileEvent& event = (*pending)[i].event;
        {
          const std::lock_guard lock(mutex_);
          if (!under_way_.emplace(event.id, consumer).second) continue;
        }
        if (!co_await raise(event)) break;
        ++begun;
      }
    }
    if (begun == 0) co_await events_.wait_for_work(consumer, kLook);
  }
}

// False where the store is full or the disk fails: later.
Task<bool> FileSource::raise(shares::FileEvent event) {
  const json::object body{{"id", event.id},
                          {"share", event.share.str()},
                          {"path", event.path},
                          {"size", event.size},
                          {"modified", format_rfc3339(event.modified, 9)}};
  Message message;
  message.module = "shares";
  message.output = event.share.str();
  message.properties = {{"$.mid", event.id},
                        {"$.ct", "application/json"},
                        {"$.ce", "utf-8"},
                        {"share", event.share.str()}};
  message.body = json::serialize(body);
  const auto where = co_await broker_.publish_local(std::move(message), event.id);
  if (where && *where > 0) co_return true;
  if (where) {
    co_await finish(event.id);  // a condition kept it out
    co_return true;
  }
  const std::lock_guard lock(mutex_);
  under_way_.erase(event.id);
  co_return false;
}

Task<void> FileSource::finish(std::string event) {
  std::string consumer;
  {
    const std::lock_guard lock(mutex_);
    const auto found = under_way_.find(event);
    if (found == under_way_.end()) co_return;  // of an earlier life: it is queued, and comes again
    consumer = found->second;
  }
  while (true) {
    std::vector<std::string> ids{event};
    const auto done = co_await events_.done(consumer, std::move(ids));
    if (done) break;
    log::warning("broker", "an event can not be marked as done",
                 {{"error", done.error().message()}});
    co_await sleep_for(kLook);
  }
  const std::lock_guard lock(mutex_);
  under_way_.erase(event);
}

}  // namespace holdfast::broker
