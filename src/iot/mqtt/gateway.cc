#include "iot/mqtt/gateway.h"

#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "device_wire/topics.h"
#include "iot/documents.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;
namespace wire = device_wire;
using mqtt::Session;

int status_of(const Error& error) {
  switch (error.code()) {
    case Code::invalid_argument:
    case Code::too_large:
      return 400;
    case Code::not_found:
      return 404;
    case Code::unavailable:
      return 503;
    default:
      return 500;
  }
}

std::string error_body(const Error& error) {
  json::object out;
  out["message"] = error.message();
  return json::serialize(out);
}

// As strong as the client subscribed for; nothing where it did not.
void answer(const std::shared_ptr<Session>& session, std::string topic, std::string payload) {
  const auto qos = session->granted(topic);
  if (!qos) return;
  if (auto sent = session->send({std::move(topic), std::move(payload), *qos}); !sent)
    log::debug("iot", "an answer was not sent",
               {{"client", session->client_id()}, {"why", sent.error().message()}});
}

}  // namespace

Gateway::Gateway(Devices& devices, Twins& twins, Telemetry& telemetry, Subscriptions& subscriptions,
                 const Clock& clock)
    : devices_(devices),
      twins_(twins),
      telemetry_(telemetry),
      subscriptions_(subscriptions),
      clock_(clock) {
  devices_.on_change([this](const Address& address) { identity_changed(address); });
  twins_.on_desired([this](const Address& address, uint64_t version, std::string patch) {
    desired_changed(address, version, std::move(patch));
  });
}

std::shared_ptr<Session> Gateway::session_of(const Address& address) const {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(address);
  return found == sessions_.end() ? nullptr : found->second;
}

size_t Gateway::connected_count() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

void Gateway::connected(const std::shared_ptr<Session>& session) {
  const auto client = session->context_as<Client>();
  {
    const std::lock_guard lock(mutex_);
    sessions_[client->address] = session;
    for (const auto& each : awaiting_client_) each->notify();
  }
  devices_.seen(client->address, true);
  // It may have been disabled between the check and now.
  identity_changed(client->address);
}

void Gateway::disconnected(const std::shared_ptr<Session>& session, mqtt::Ended how) {
  const auto client = session->context_as<Client>();
  if (how == mqtt::Ended::taken_over) return;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(client->address);
    if (found == sessions_.end() || found->second != session || session->connected()) return;
    sessions_.erase(found);
  }
  devices_.seen(client->address, false);
}

Task<uint8_t> Gateway::subscribe(std::shared_ptr<Session> session, mqtt::Subscription wanted) {
  const auto client = session->context_as<Client>();
  if (!wire::subject_of(wanted.filter, client->address)) co_return mqtt::kRefused;
  if (client->keeps_session) {
    if (auto kept = co_await subscriptions_.add(client->address, wanted); !kept) {
      log::error("iot", "a subscription was not kept", {{"error", kept.error().message()}});
      co_return mqtt::kRefused;
    }
  }
  co_return static_cast<uint8_t>(wanted.qos);
}

void Gateway::subscribed(const std::shared_ptr<Session>&, const mqtt::Subscription&) {
  const std::lock_guard lock(mutex_);
  for (const auto& each : awaiting_client_) each->notify();
}

Task<void> Gateway::unsubscribe(std::shared_ptr<Session> session, std::string filter) {
  const auto client = session->context_as<Client>();
  if (!client->keeps_session) co_return;
  if (auto gone = co_await subscriptions_.remove(client->address, std::move(filter)); !gone)
    log::error("iot", "a subscription was not removed", {{"error", gone.error().message()}});
}

Task<Result<void>> Gateway::take_telemetry(const Client& from, Address claimed,
                                           Properties properties, mqtt::Publish message) {
  // The edge's hub speaks for the modules of its own device.
  const bool own = claimed == from.address;
  const bool for_module = from.address.module == kEdgeHub && claimed.device == from.address.device;
  if (!own && !for_module)
    co_return fail(Code::denied, "'" + from.address.text() + "' may not send for another");
  // One of a module that is no longer there was sent while it was: it waited on the edge. Were one
  // refused, it would come again and again, and hold up those of other modules.
  const auto admitted = devices_.admit(claimed);
  if (!own && !admitted && admitted.error().code() == Code::denied) {
    log::warning("iot", "a message of a disabled module was dropped", {{"from", claimed.text()}});
    co_return Result<void>();
  }
  if (message.retain) properties.push_back({"mqtt-retain", "true"});
  CO_TRY_VOID(co_await telemetry_.append(std::move(claimed), std::move(properties),
                                         std::move(message.payload)));
  co_return Result<void>();
}

Task<void> Gateway::answer_get(std::shared_ptr<Session> session, std::string rid) {
  const auto twin = co_await twins_.get(session->context_as<Client>()->address);
  if (!twin) {
    answer(session, wire::twin_response_topic(status_of(twin.error()), rid),
           error_body(twin.error()));
    co_return;
  }
  json::object desired = twin->desired.values, reported = twin->reported.values, body;
  desired["$version"] = twin->desired.version;
  reported["$version"] = twin->reported.version;
  body["desired"] = std::move(desired);
  body["reported"] = std::move(reported);
  answer(session, wire::twin_response_topic(200, rid), json::serialize(body));
}

Task<void> Gateway::answer_patch(std::shared_ptr<Session> session, std::string rid,
                                 std::string payload) {
  auto patch = parse_object(payload, "the reported properties");
  Result<uint64_t> version = 0;
  if (patch) {
    version =
        co_await twins_.patch_reported(session->context_as<Client>()->address, std::move(*patch));
  } else {
    version = std::unexpected(patch.error());
  }
  if (version)
    answer(session, wire::twin_response_topic(204, rid, *version), "");
  else
    answer(session, wire::twin_response_topic(status_of(version.error()), rid),
           error_body(version.error()));
}

Task<Result<void>> Gateway::publish(std::shared_ptr<Session> session, mqtt::Publish message) {
  const auto client = session->context_as<Client>();
  devices_.seen(client->address);
  CO_TRY(auto topic, wire::parse_from_device(message.topic));
  if (auto* telemetry = std::get_if<wire::Telemetry>(&topic)) {
    co_return co_await take_telemetry(*client, std::move(telemetry->from),
                                      std::move(telemetry->properties), std::move(message));
  }
  if (auto* get = std::get_if<wire::TwinGet>(&topic)) {
    co_await answer_get(session, std::move(get->rid));
  } else if (auto* patch = std::get_if<wire::ReportedPatch>(&topic)) {
    co_await answer_patch(session, std::move(patch->rid), std::move(message.payload));
  } else {
    const auto& response = std::get<wire::MethodResponse>(topic);
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(response.rid);
    // Late, or not this client's to answer.
    if (found == pending_.end() || found->second->from != client->address) co_return Result<void>();
    found->second->answer = MethodAnswer{response.status, std::move(message.payload)};
    found->second->answered.notify();
  }
  co_return Result<void>();
}

Task<void> Gateway::will(std::shared_ptr<Session> session, mqtt::Will will) {
  const auto client = session->context_as<Client>();
  auto topic = wire::parse_from_device(will.topic);
  auto* telemetry = topic ? std::get_if<wire::Telemetry>(&*topic) : nullptr;
  if (telemetry == nullptr) co_return;
  telemetry->properties.push_back({"iothub-MessageType", "Will"});
  mqtt::Publish message{will.topic, std::move(will.payload), will.qos, 0, false, will.retain};
  auto taken = co_await take_telemetry(*client, std::move(telemetry->from),
                                       std::move(telemetry->properties), std::move(message));
  if (!taken)
    log::warning("iot", "a will was not kept",
                 {{"client", session->client_id()}, {"error", taken.error().message()}});
}

void Gateway::identity_changed(const Address& address) {
  std::vector<std::shared_ptr<Session>> concerned;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = sessions_.lower_bound(address);
         it != sessions_.end() && it->first.device == address.device; ++it) {
      if (address.module.empty() || it->first == address) concerned.push_back(it->second);
    }
  }
  for (const auto& session : concerned) {
    const auto client = session->context_as<Client>();
    const auto identity = devices_.admit(client->address);
    if (!identity) {
      session->close(identity.error().message());
    } else if (!client->key.empty() && client->key != (*identity)->keys[0] &&
               client->key != (*identity)->keys[1]) {
      session->close("the key was changed");
    }
  }
}

void Gateway::desired_changed(const Address& address, uint64_t version, std::string patch) {
  // One that is away reads the twin when it comes back.
  if (const auto session = session_of(address); session && session->connected())
    answer(session, wire::desired_patch_topic(version), std::move(patch));
}

}  // namespace holdfast::iot
