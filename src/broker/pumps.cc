// The broker's tasks: messages to modules and to the hub, and twins between both.
#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "broker/client.h"
#include "device_wire/topics.h"

namespace holdfast::broker {
namespace {

namespace json = boost::json;
namespace wire = device_wire;
using std::chrono::milliseconds;

constexpr milliseconds kLook{60'000}, kAgain{1000};

// Where a module takes its inputs; nullopt where it has not subscribed to them.
std::optional<std::string> input_base(const mqtt::Session& session, const wire::Address& who) {
  for (const mqtt::Subscription& one : session.subscriptions()) {
    const auto subject = wire::subject_of(one.filter, who);
    if (subject && subject->kind == wire::Subject::inputs) return subject->base;
  }
  return std::nullopt;
}

}  // namespace

void Broker::want_pump(const std::string& module) {
  {
    const std::lock_guard lock(mutex_);
    auto& found = modules_[module];
    if (!found) found = std::make_unique<Module>();
    if (std::exchange(found->pumping, true)) {
      queue_->notify(module);
      return;
    }
  }
  group_->spawn(*executor_, "inputs " + module, pump_inputs(module));
}

Task<void> Broker::pump_inputs(std::string module) {
  while (true) {
    const milliseconds wait = co_await pump_once(module);
    if (wait.count() > 0) co_await queue_->wait_for_work(module, wait);
  }
}

// Hands out what there is room for; how long there is nothing to do unless somebody wakes it.
Task<milliseconds> Broker::pump_once(std::string module) {
  const auto session = session_of(module);
  if (!session || !session->connected()) co_return kLook;
  const wire::Address who{parts_.device, module};
  const auto base = input_base(*session, who);
  const size_t under_way = queue_->handed_out(module);
  if (!base || under_way >= parts_.in_flight) co_return kLook;
  auto rows = co_await queue_->next(module, parts_.in_flight - under_way);
  if (!rows) {
    log::warning("broker", "messages can not be read", {{"error", rows.error().message()}});
    co_return kAgain;
  }
  if (rows->empty()) co_return kLook;
  for (Queued& row : *rows) {
    wire::Properties properties = std::move(row.message.properties);
    properties.push_back({"$.cdid", parts_.device});
    properties.push_back({"$.cmid", row.message.module});
    std::string topic = wire::input_topic(*base, row.input, properties);
    const auto qos = session->granted(topic).value_or(mqtt::Qos::at_least_once);
    const auto acknowledged = [this, module, sequence = row.sequence] {
      group_->spawn(*executor_, "delivered", delivered(module, sequence));
    };
    mqtt::Publish message{std::move(topic), std::move(row.message.body), qos};
    if (!session->send(std::move(message), acknowledged)) {
      queue_->give_back(module, row.sequence);
      co_return kAgain;
    }
  }
  co_return milliseconds(0);
}

Task<void> Broker::delivered(std::string module, int64_t sequence) {
  // Where the disk fails it stays handed out; after a reconnect it is sent again.
  if (const auto done = co_await queue_->done(module, sequence); !done)
    log::error("broker", "a delivered message can not be removed",
               {{"error", done.error().message()}});
}

void Broker::upstream_changed() {
  queue_->notify(std::string(kUpstream));
}

Task<void> Broker::pump_upstream() {
  const std::string target(kUpstream);
  while (true) {
    const size_t under_way = queue_->handed_out(target);
    if (!parts_.upstream.connected() || under_way >= parts_.in_flight) {
      co_await queue_->wait_for_work(target, kLook);
      continue;
    }
    auto rows = co_await queue_->next(target, parts_.in_flight - under_way);
    if (!rows)
      log::warning("broker", "messages can not be read", {{"error", rows.error().message()}});
    if (!rows || rows->empty()) {
      co_await queue_->wait_for_work(target, rows ? kLook : kAgain);
      continue;
    }
    for (Queued& row : *rows) group_->spawn(*executor_, "message", forward(std::move(row)));
  }
}

Task<void> Broker::forward(Queued row) {
  const std::string target(kUpstream);
  std::string module = row.message.module;
  if (module == "shares") {
    // The built-in module has no identity at the hub.
    row.message.properties.push_back({"source", "shares/" + row.message.output});
    module.clear();
  }
  const auto sent = co_await parts_.upstream.send(
      std::move(module), std::move(row.message.properties), std::move(row.message.body));
  if (sent) {
    co_await delivered(target, row.sequence);
    co_return;
  }
  log::debug("broker", "a message stays here for now", {{"error", sent.error().message()}});
  co_await sleep_for(kAgain);
  queue_->give_back(target, row.sequence);
  queue_->notify(target);
}

Task<void> Broker::sweep() {
  while (true) {
    const auto swept = co_await queue_->sweep();
    if (swept && *swept > 0)
      log::warning("broker", "messages have expired", {{"messages", std::to_string(*swept)}});
    co_await sleep_for(kLook);
  }
}

void Broker::module_linked(const std::string& module) {
  want_sync(module, true);
}

void Broker::want_sync(const std::string& module, bool whole) {
  {
    const std::lock_guard lock(mutex_);
    auto& found = modules_[module];
    if (!found) found = std::make_unique<Module>();
    (whole ? found->wants_whole : found->wants_patch) = true;
    if (std::exchange(found->syncing, true)) return;
  }
  group_->spawn(*executor_, "twin " + module, sync(module));
}

Task<void> Broker::sync(std::string module) {
  while (true) {
    bool whole = false;
    {
      const std::lock_guard lock(mutex_);
      Module& of = *modules_[module];
      whole = std::exchange(of.wants_whole, false);
      const bool patch = std::exchange(of.wants_patch, false);
      of.syncing = whole || patch;
      if (!of.syncing) co_return;
    }
    // Where it fails, the module's next link begins it anew.
    if (const auto done = co_await sync_once(module, whole); !done)
      log::debug("broker", "a twin was not synchronised",
                 {{"module", module}, {"error", done.error().message()}});
  }
}

Task<Result<void>> Broker::sync_once(std::string module, bool whole) {
  if (whole) {
    CO_TRY(json::object twin, co_await parts_.upstream.twin(module));
    CO_TRY(const auto change, co_await twins_->refresh(module, std::move(twin)));
    if (change) send_desired(module, *change);
  }
  json::object pending = twins_->pending(module);
  if (pending.empty()) co_return Result<void>();
  json::object copy = pending;
  CO_TRY_VOID(co_await parts_.upstream.patch_reported(module, std::move(copy)));
  co_return co_await twins_->accepted(module, std::move(pending));
}

void Broker::desired_changed(const std::string& module, json::object patch) {
  group_->spawn(*executor_, "twin " + module, apply_desired(module, std::move(patch)));
}

Task<void> Broker::apply_desired(std::string module, json::object patch) {
  json::object copy = patch;
  const auto follows = co_await twins_->patch_desired(module, std::move(copy));
  if (follows && *follows)
    send_desired(module, patch);
  else
    want_sync(module, true);
}

void Broker::send_desired(const std::string& module, const json::object& patch) {
  const auto session = session_of(module);
  if (!session) return;
  const json::value* version = patch.if_contains("$version");
  const auto number = version != nullptr && version->is_int64() ? version->get_int64() : 0;
  std::string topic = wire::desired_patch_topic(static_cast<uint64_t>(number));
  const auto qos = session->granted(topic);
  if (!qos) return;
  mqtt::Publish message{std::move(topic), json::serialize(patch), *qos};
  if (const auto sent = session->send(std::move(message)); !sent)
    log::debug("broker", "a desired patch was not sent",
               {{"module", module}, {"why", sent.error().message()}});
}

}  // namespace holdfast::broker
