#include "device/twin_link.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "base/merge_patch.h"
#include "device_wire/topics.h"
#include "net/task.h"

namespace holdfast::device {
namespace {

namespace json = boost::json;
namespace wire = device_wire;
using namespace std::chrono_literals;

constexpr auto kAnswerWithin = 20s, kSubscribeWithin = 20s;
constexpr auto kRenew = std::chrono::minutes(50);  // before the hour of a signature is over
constexpr auto kLook = 30s;                        // what was not level is tried again

// A hub's section without what the hub adds to it.
json::object plain(const json::value* section) {
  json::object out =
      section != nullptr && section->is_object() ? section->as_object() : json::object();
  out.erase("$version");
  out.erase("$metadata");
  return out;
}

int64_t version_of(const json::object& section) {
  const json::value* found = section.if_contains("$version");
  return found != nullptr && found->is_int64() ? found->as_int64() : -1;
}

}  // namespace

TwinLink::TwinLink(Executor executor, const Identity& identity, std::string module, Desired desired)
    : executor_(executor),
      identity_(identity),
      module_(std::move(module)),
      desired_call_(std::move(desired)) {
  mqtt::ClientOptions options;
  options.host = identity_.hub().mqtt_host;
  options.port = identity_.hub().mqtt_port;
  options.tls = identity_.hub().tls;
  options.client_id = wire::Address{identity_.device(), module_}.text();
  options.credentials = [this] { return credentials(); };
  options.renew_after = kRenew;
  options.on_message = [this](mqtt::Publish message) { return arrived(std::move(message)); };
  options.on_state = [this](bool connected, const Error* why) {
    if (!connected && whole_)
      log::warning("device", "the hub is away; what was desired last stays",
                   {{"module", module_}, {"why", why != nullptr ? why->message() : ""}});
    whole_ = false;
    wake_.notify();
  };
  client_ = mqtt::make_client(executor_, std::move(options));
}

TwinLink::~TwinLink() = default;

bool TwinLink::connected() const {
  return client_->connected();
}

void TwinLink::start(TaskGroup& group) {
  client_->start();
  group.spawn(executor_, "twin-link", run());
}

void TwinLink::report(json::object reported) {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = std::move(reported);
    has_wanted_ = true;
  }
  wake_.notify();
}

Task<Result<mqtt::Credentials>> TwinLink::credentials() {
  wire::ConnectName name;
  name.host = identity_.hub().name;
  name.address = {identity_.device(), module_};
  name.api_version = "2021-04-12";
  mqtt::Credentials out;
  out.username = wire::format_connect_name(name);
  CO_TRY(out.password, co_await identity_.module_signature(module_));
  co_return out;
}

Task<Result<void>> TwinLink::arrived(mqtt::Publish message) {
  const auto topic = wire::parse_to_device(message.topic);
  if (!topic) co_return Result<void>();  // not for us; saying no would only bring it again
  if (const auto* response = std::get_if<wire::TwinResponse>(&*topic)) {
    answers_[response->rid] = Answer{response->status, std::move(message.payload)};
    answered_.notify();
  } else if (std::holds_alternative<wire::DesiredPatch>(*topic)) {
    boost::system::error_code error;
    const json::value patch = json::parse(message.payload, error);
    const bool next = !error && patch.is_object() && whole_ &&
                      version_of(patch.as_object()) == version_of(desired_) + 1;
    if (next) {
      apply_merge_patch(desired_, patch.as_object());
      fresh_ = true;
    } else {
      whole_ = false;  // a patch was missed: the whole twin is read
    }
    wake_.notify();
  }
  co_return Result<void>();
}

Task<Result<std::string>> TwinLink::ask(std::string topic, std::string rid, std::string payload) {
  mqtt::Publish message;
  message.topic = std::move(topic);
  message.payload = std::move(payload);
  CO_TRY_VOID(co_await client_->publish(std::move(message), kAnswerWithin));
  const auto until = std::chrono::steady_clock::now() + kAnswerWithin;
  for (;;) {
    if (const auto found = answers_.find(rid); found != answers_.end()) {
      const Answer answer = std::move(found->second);
      answers_.erase(found);
      if (answer.status / 100 == 2) co_return answer.body;
      co_return fail(answer.status == 400 ? Code::invalid_argument : Code::unavailable,
                     "the hub answered the twin's request with " + std::to_string(answer.status));
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left <= 0ms || !client_->connected())
      co_return fail(Code::timed_out, "the hub did not answer the twin's request");
    co_await answered_.wait(left);
  }
}

Task<Result<void>> TwinLink::read_twin() {
  answers_.clear();
  const mqtt::Subscription wanted[] = {{std::string(wire::kTwinResponses)},
                                       {std::string(wire::kDesiredPatches)}};
  for (const mqtt::Subscription& each : wanted)
    CO_TRY_VOID(co_await client_->subscribe(each, kSubscribeWithin));
  const std::string rid = std::to_string(next_rid_++);
  CO_TRY(const std::string body, co_await ask(wire::twin_get_topic(rid), rid, " "));
  boost::system::error_code error;
  const json::value twin = json::parse(body, error);
  const json::value* desired =
      !error && twin.is_object() ? twin.as_object().if_contains("desired") : nullptr;
  if (desired == nullptr || !desired->is_object())
    co_return fail(Code::internal, "the hub's twin is not one");
  desired_ = desired->as_object();
  desired_.erase("$metadata");
  known_ = plain(twin.as_object().if_contains("reported"));
  whole_ = fresh_ = true;
  co_return Result<void>();
}

Task<void> TwinLink::give_desired() {
  fresh_ = false;
  json::object whole = desired_;
  if (auto done = co_await desired_call_(std::move(whole)); !done)
    log::warning("device", "the desired properties could not be taken",
                 {{"module", module_}, {"error", done.error().message()}});
}

// Reads, gives and reports until there is nothing left to do.
Task<Result<void>> TwinLink::level() {
  if (!whole_) CO_TRY_VOID(co_await read_twin());
  while (fresh_) co_await give_desired();
  json::object wanted;
  {
    const std::lock_guard lock(mutex_);
    if (!has_wanted_) co_return Result<void>();
    wanted = wanted_;
  }
  const json::object patch = merge_patch(known_, wanted);
  if (patch.empty()) co_return Result<void>();
  const std::string rid = std::to_string(next_rid_++);
  CO_TRY_VOID(co_await ask(wire::reported_patch_topic(rid), rid, json::serialize(patch)));
  known_ = std::move(wanted);
  wake_.notify();  // what came meanwhile
  co_return Result<void>();
}

Task<void> TwinLink::run() {
  for (;;) {
    if (client_->connected()) {
      if (auto done = co_await level(); !done) {
        whole_ = false;
        log::warning("device", "the twin is not level with the hub's",
                     {{"module", module_}, {"error", done.error().message()}});
        if (!co_await sleep_for(1s)) co_return;
        continue;
      }
    }
    co_await wake_.wait(kLook);
  }
}

Task<void> TwinLink::stop() {
  co_await client_->stop();
}

}  // namespace holdfast::device
