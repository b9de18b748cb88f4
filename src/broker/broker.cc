#include "broker/broker.h"

#include <boost/json/serialize.hpp>

#include "base/json_reader.h"
#include "base/log.h"
#include "broker/client.h"
#include "device_wire/topics.h"

namespace holdfast::broker {
namespace {

namespace json = boost::json;
namespace wire = device_wire;
using store::Row;
using store::Tx;

// .NET's way to say never.
std::string time_text(WallTime time) {
  return time == WallTime{} ? "0001-01-01T00:00:00Z" : format_rfc3339(time, 7);
}

int status_of(const Error& error) {
  if (error.reason() == "manifest_format") return 400;
  if (error.reason() == "manifest_schema") return 412;
  if (error.reason() == "manifest_empty") return 417;
  return 500;
}

}  // namespace

Broker::Broker(BrokerParts parts) : parts_(std::move(parts)) {}
Broker::~Broker() = default;

Result<std::unique_ptr<Broker>> Broker::open(BrokerParts parts) {
  std::unique_ptr<Broker> broker(new Broker(std::move(parts)));
  BrokerParts& of = broker->parts_;
  TRY(broker->queue_, MessageQueue::open(of.database, of.clock, of.max_bytes));
  TRY(broker->twins_, ModuleTwins::open(of.database));
  std::string kept;
  TRY_VOID(of.database.write_now([&](Tx& tx) {
    return tx.each("SELECT body FROM hub_document WHERE name = 'desired'", {}, [&](const Row& row) {
      kept = std::string(row.text(0));
      return true;
    });
  }));
  if (kept.empty()) return broker;
  TRY(const json::object desired, parse_json_object(kept, "the kept desired properties"));
  TRY(broker->config_, parse_hub_config(desired));
  broker->desired_version_ = broker->config_.version;
  if (broker->config_.max_bytes) broker->queue_->set_max_bytes(*broker->config_.max_bytes);
  return broker;
}

void Broker::start(Executor executor, TaskGroup& group) {
  executor_ = executor;
  group_ = &group;
  group.spawn(executor, "upstream", pump_upstream());
  group.spawn(executor, "messages", sweep());
}

void Broker::on_change(std::function<void()> call) {
  on_change_ = std::move(call);
}

void Broker::changed() const {
  if (on_change_) on_change_();
}

Task<Result<void>> Broker::set_desired(json::object desired) {
  auto read = parse_hub_config(desired);
  if (read) {
    const auto work = [body = json::serialize(desired)](Tx& tx) -> Result<void> {
      TRY_VOID(tx.run("INSERT OR REPLACE INTO hub_document VALUES('desired', ?)",
                      {std::string_view(body)}));
      return {};
    };
    CO_TRY_VOID(co_await parts_.database.write(work));
    queue_->set_max_bytes(read->max_bytes.value_or(parts_.max_bytes));
  } else {
    log::warning("broker", "the desired properties can not be used; the last ones stay",
                 {{"error", read.error().message()}});
  }
  {
    const std::lock_guard lock(mutex_);
    desired_version_ = JsonReader(desired, "").integer_or("$version", 0, 0, INT64_MAX).value_or(0);
    status_code_ = read ? 200 : status_of(read.error());
    status_text_ = read ? "" : read.error().message();
    if (read) config_ = std::move(*read);
  }
  changed();
  co_return Result<void>();
}

json::object Broker::reported() const {
  const std::lock_guard lock(mutex_);
  json::object clients;
  for (const auto& [name, module] : modules_) {
    if (module->connected_at == WallTime{}) continue;
    clients[parts_.device + "/" + name] =
        json::object{{"status", module->connected ? "Connected" : "Disconnected"},
                     {"lastConnectTime", time_text(module->connected_at)},
                     {"lastDisconnectTime", time_text(module->disconnected_at)}};
  }
  return json::object{
      {"schemaVersion", "1.1"},
      {"version", json::object{{"version", parts_.version}, {"build", ""}, {"commit", ""}}},
      {"lastDesiredVersion", desired_version_},
      {"lastDesiredStatus", json::object{{"code", status_code_}, {"description", status_text_}}},
      {"clients", std::move(clients)}};
}

bool Broker::has_route(std::string_view source) const {
  const std::lock_guard lock(mutex_);
  for (const Route& route : config_.routes)
    if (route.covers(source)) return true;
  return false;
}

Task<Result<size_t>> Broker::publish_local(Message message, std::string event) {
  message.device = parts_.device;
  co_return co_await route(std::move(message), std::move(event));
}

Task<Result<size_t>> Broker::route(Message message, std::string event) {
  std::vector<Destination> where;
  {
    const std::lock_guard lock(mutex_);
    where = destinations(config_, message);
  }
  const size_t count = where.size();
  if (count == 0) {
    ++unrouted_;
    co_return count;
  }
  CO_TRY_VOID(co_await queue_->add(std::move(message), std::move(where), std::move(event)));
  co_return count;
}

Task<void> Broker::set_modules(std::set<std::string> modules) {
  modules.insert(std::string(kUpstream));
  auto waiting = co_await queue_->counts();
  if (!waiting) co_return;
  for (const auto& [target, counts] : *waiting) {
    if (modules.contains(target)) continue;
    log::warning("broker", "messages for a module that is no longer there are dropped",
                 {{"module", target}, {"messages", std::to_string(counts.messages)}});
    (void)co_await queue_->drop_target(target);
  }
  std::vector<std::string> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, module] : modules_)
      if (!modules.contains(name)) gone.push_back(name);
  }
  for (const std::string& name : gone) {
    if (const auto session = session_of(name)) session->close("the module was removed");
    (void)co_await twins_->drop(name);
  }
}

std::shared_ptr<mqtt::Session> Broker::session_of(const std::string& module) const {
  const std::lock_guard lock(mutex_);
  const auto found = modules_.find(module);
  return found == modules_.end() ? nullptr : found->second->session;
}

}  // namespace holdfast::broker
