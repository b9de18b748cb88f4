#include "device/link.h"

#include <boost/json/serialize.hpp>

#include "base/exact_json.h"
#include "device_wire/topics.h"
#include "net/task.h"

namespace holdfast::device {
namespace {

namespace json = boost::json;
namespace wire = device_wire;
using namespace std::chrono_literals;

constexpr auto kAnswerWithin = 20s;
constexpr auto kRenew = std::chrono::minutes(50);  // before the hour of a signature is over

}  // namespace

Link::Link(Executor executor, const Identity& identity, std::string module, Calls calls)
    : identity_(identity), module_(std::move(module)), calls_(std::move(calls)) {
  mqtt::ClientOptions options;
  options.host = identity_.hub().mqtt_host;
  options.port = identity_.hub().mqtt_port;
  options.tls = identity_.hub().tls;
  options.client_id = wire::Address{identity_.device(), module_}.text();
  options.credentials = [this] { return credentials(); };
  options.renew_after = kRenew;
  options.on_message = [this](mqtt::Publish message) { return arrived(std::move(message)); };
  options.on_state = calls_.state;
  client_ = mqtt::make_client(executor, std::move(options));
}

Link::~Link() = default;

void Link::start() {
  client_->start();
}

Task<void> Link::stop() {
  co_await client_->stop();
}

Task<Result<mqtt::Credentials>> Link::credentials() {
  wire::ConnectName name;
  name.host = identity_.hub().name;
  name.address = {identity_.device(), module_};
  name.api_version = "2021-04-12";
  mqtt::Credentials out;
  out.username = wire::format_connect_name(name);
  CO_TRY(out.password, co_await identity_.module_signature(module_));
  co_return out;
}

Task<Result<void>> Link::arrived(mqtt::Publish message) {
  const auto topic = wire::parse_to_device(message.topic);
  if (!topic) co_return Result<void>();  // not for us; saying no would only bring it again
  if (const auto* response = std::get_if<wire::TwinResponse>(&*topic)) {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(response->rid);
    if (found == pending_.end()) co_return Result<void>();  // nobody waits any more
    found->second->status = response->status;
    found->second->body = std::move(message.payload);
    found->second->answered.notify();
  } else if (std::holds_alternative<wire::DesiredPatch>(*topic) && calls_.desired) {
    auto patch = parse_json_exactly(message.payload);
    calls_.desired(patch && patch->is_object() ? std::move(patch->get_object()) : json::object());
  }
  co_return Result<void>();
}

std::string Link::next_rid() {
  const std::lock_guard lock(mutex_);
  return std::to_string(++rids_);
}

Task<Result<std::string>> Link::ask(std::string topic, std::string rid, std::string payload) {
  const auto pending = std::make_shared<Pending>();
  {
    const std::lock_guard lock(mutex_);
    pending_[rid] = pending;
  }
  struct Leave {
    Link& link;
    const std::string& rid;
    ~Leave() {
      const std::lock_guard lock(link.mutex_);
      link.pending_.erase(rid);
    }
  };
  const Leave leave{*this, rid};
  mqtt::Publish message;
  message.topic = std::move(topic);
  message.payload = std::move(payload);
  CO_TRY_VOID(co_await client_->publish(std::move(message), kAnswerWithin));
  const auto until = std::chrono::steady_clock::now() + kAnswerWithin;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (const int status = pending->status.value_or(0); status != 0) {
        if (status / 100 == 2) co_return std::move(pending->body);
        co_return fail(status == 400 ? Code::invalid_argument : Code::unavailable,
                       "the hub answered the twin's request with " + std::to_string(status));
      }
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left <= 0ms || !client_->connected())
      co_return fail(Code::timed_out, "the hub did not answer the twin's request");
    co_await pending->answered.wait(std::min<std::chrono::milliseconds>(left, 1s));
  }
}

Task<Result<void>> Link::listen() {
  {
    const std::lock_guard lock(mutex_);
    if (listening_) co_return Result<void>();
  }
  const mqtt::Subscription wanted[] = {{std::string(wire::kTwinResponses)},
                                       {std::string(wire::kDesiredPatches)}};
  for (const mqtt::Subscription& each : wanted)
    CO_TRY_VOID(co_await client_->subscribe(each, kAnswerWithin));
  const std::lock_guard lock(mutex_);
  listening_ = true;
  co_return Result<void>();
}

Task<Result<void>> Link::send(std::string module, wire::Properties properties, std::string body) {
  mqtt::Publish message;
  message.topic = wire::telemetry_topic({identity_.device(), std::move(module)}, properties);
  message.payload = std::move(body);
  message.qos = mqtt::Qos::at_least_once;
  co_return co_await client_->publish(std::move(message), kAnswerWithin);
}

Task<Result<json::object>> Link::twin() {
  CO_TRY_VOID(co_await listen());
  std::string rid = next_rid(), topic = wire::twin_get_topic(rid);
  CO_TRY(const std::string body, co_await ask(std::move(topic), std::move(rid), " "));
  auto twin = parse_json_exactly(body);
  for (const char* section : {"desired", "reported"}) {
    const json::value* found =
        twin && twin->is_object() ? twin->get_object().if_contains(section) : nullptr;
    if (found == nullptr || !found->is_object())
      co_return fail(Code::internal, "the hub's twin is not one");
  }
  co_return std::move(twin->get_object());
}

Task<Result<void>> Link::patch_reported(json::object patch) {
  CO_TRY_VOID(co_await listen());
  std::string rid = next_rid(), topic = wire::reported_patch_topic(rid);
  std::string body = json::serialize(patch);
  CO_TRY_VOID(co_await ask(std::move(topic), std::move(rid), std::move(body)));
  co_return Result<void>();
}

}  // namespace holdfast::device
