// The broker as an mqtt::Handler.
#include <boost/json/serialize.hpp>

#include "base/json_reader.h"
#include "base/log.h"
#include "broker/client.h"
#include "device_wire/sas.h"
#include "device_wire/topics.h"

namespace holdfast::broker {
namespace {

namespace json = boost::json;
namespace wire = device_wire;
using mqtt::Session;
using store::Row;
using store::Tx;

int status_of(const Error& error) {
  switch (error.code()) {
    case Code::invalid_argument:
    case Code::too_large:
      return 400;
    case Code::not_found:
      return 404;
    case Code::unavailable:
    case Code::timed_out:
      return 503;
    default:
      return 500;
  }
}

void answer(const std::shared_ptr<Session>& session, std::string topic, std::string payload) {
  const auto qos = session->granted(topic);
  if (!qos) return;
  if (auto sent = session->send({std::move(topic), std::move(payload), *qos}); !sent)
    log::debug("broker", "an answer was not sent",
               {{"client", session->client_id()}, {"why", sent.error().message()}});
}

void answer_error(const std::shared_ptr<Session>& session, const std::string& rid,
                  const Error& error) {
  const json::object body{{"message", error.message()}};
  answer(session, wire::twin_response_topic(status_of(error), rid), json::serialize(body));
}

Task<Result<std::vector<mqtt::Subscription>>> kept_subscriptions(store::Database& database,
                                                                 std::string client, bool forget) {
  const auto work = [client, forget](Tx& tx) -> Result<std::vector<mqtt::Subscription>> {
    std::vector<mqtt::Subscription> out;
    if (forget) {
      TRY_VOID(tx.run("DELETE FROM subscription WHERE client = ?", {std::string_view(client)}));
      return out;
    }
    TRY_VOID(tx.each("SELECT filter, qos FROM subscription WHERE client = ?",
                     {std::string_view(client)}, [&](const Row& row) {
                       out.push_back({std::string(row.text(0)), row.integer(1) == 0
                                                                    ? mqtt::Qos::at_most_once
                                                                    : mqtt::Qos::at_least_once});
                       return true;
                     }));
    return out;
  };
  co_return co_await database.write(work);
}

}  // namespace

Result<mqtt::ConnectAnswer> Broker::check(const mqtt::Connect& request) const {
  TRY(const wire::ConnectName name, wire::parse_connect_name(request.username.value_or("")));
  if (request.client_id != name.address.text())
    return fail(Code::invalid_argument, "the client id is not that of the user name");
  if (name.address.device != parts_.device || name.address.module.empty())
    return fail(Code::denied, "only modules of this device are served here");
  const std::vector<std::string> keys = parts_.keys(name.address.module);
  if (keys.empty()) return fail(Code::denied, "no module of this device has that name");
  TRY(const wire::SasToken token, wire::parse_sas(request.password.value_or("")));
  if (!wire::same_resource(token.resource, wire::resource_of(name.host, name.address)))
    return fail(Code::unauthenticated, "the token is for another resource");
  TRY_VOID(wire::verify_sas(token, keys, parts_.clock));
  auto client = std::make_shared<Client>();
  client->address = name.address;
  client->keeps_session = !request.clean_session;
  mqtt::ConnectAnswer out;
  const WallTime now = parts_.clock.now();
  out.expires = token.expires > now ? token.expires : now + std::chrono::minutes(5);
  out.context = std::move(client);
  return out;
}

Task<mqtt::ConnectAnswer> Broker::connect(const mqtt::Connect& request, const mqtt::Peer& peer) {
  mqtt::ConnectAnswer refused;
  auto checked = check(request);
  if (!checked) {
    log::info("broker", "a connect was refused",
              {{"client", request.client_id.substr(0, 260)},
               {"peer", peer.address},
               {"why", checked.error().message()}});
    refused.code = checked.error().code() == Code::denied ? mqtt::ConnectCode::not_authorized
                                                          : mqtt::ConnectCode::bad_credentials;
    co_return refused;
  }
  auto kept =
      co_await kept_subscriptions(parts_.database, request.client_id, request.clean_session);
  if (!kept) {
    refused.code = mqtt::ConnectCode::unavailable;
    co_return refused;
  }
  checked->session_present = !kept->empty();
  checked->subscriptions = std::move(*kept);
  co_return std::move(*checked);
}

void Broker::connected(const std::shared_ptr<Session>& session) {
  const std::string name = session->context_as<Client>()->address.module;
  bool fresh = false;
  {
    const std::lock_guard lock(mutex_);
    auto& module = modules_[name];
    if (!module) module = std::make_unique<Module>();
    fresh = module->session != session;
    module->session = session;
    module->connected = true;
    module->connected_at = parts_.clock.now();
  }
  // What an earlier session had not acknowledged ended with it.
  if (fresh) queue_->give_back_all(name);
  want_pump(name);
  changed();
}

void Broker::disconnected(const std::shared_ptr<Session>& session, mqtt::Ended how) {
  if (how == mqtt::Ended::taken_over) return;
  {
    const std::lock_guard lock(mutex_);
    const auto found = modules_.find(session->context_as<Client>()->address.module);
    if (found == modules_.end() || found->second->session != session || session->connected())
      return;
    found->second->connected = false;
    found->second->disconnected_at = parts_.clock.now();
  }
  changed();
}

Task<uint8_t> Broker::subscribe(std::shared_ptr<Session> session, mqtt::Subscription wanted) {
  const auto client = session->context_as<Client>();
  if (!wire::subject_of(wanted.filter, client->address)) co_return mqtt::kRefused;
  if (client->keeps_session) {
    const auto work = [id = session->client_id(), wanted](Tx& tx) -> Result<void> {
      TRY_VOID(tx.run("INSERT OR REPLACE INTO subscription VALUES(?,?,?)",
                      {std::string_view(id), std::string_view(wanted.filter),
                       static_cast<int64_t>(wanted.qos)}));
      return {};
    };
    if (!co_await parts_.database.write(work)) co_return mqtt::kRefused;
  }
  co_return static_cast<uint8_t>(wanted.qos);
}

void Broker::subscribed(const std::shared_ptr<Session>& session, const mqtt::Subscription&) {
  queue_->notify(session->context_as<Client>()->address.module);
}

Task<void> Broker::unsubscribe(std::shared_ptr<Session> session, std::string filter) {
  const auto work = [id = session->client_id(), filter](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("DELETE FROM subscription WHERE client = ? AND filter = ?",
                    {std::string_view(id), std::string_view(filter)}));
    return {};
  };
  if (const auto gone = co_await parts_.database.write(work); !gone)
    log::error("broker", "a subscription was not removed", {{"error", gone.error().message()}});
}

Task<Result<void>> Broker::publish(std::shared_ptr<Session> session, mqtt::Publish message) {
  const auto client = session->context_as<Client>();
  CO_TRY(auto topic, wire::parse_from_device(message.topic));
  if (auto* telemetry = std::get_if<wire::Telemetry>(&topic)) {
    if (telemetry->from != client->address)
      co_return fail(Code::denied, "a module may not send for another");
    Message out;
    out.device = client->address.device;
    out.module = client->address.module;
    if (const auto* name = wire::find_property(telemetry->properties, "$.on")) out.output = *name;
    out.properties = std::move(telemetry->properties);
    out.body = std::move(message.payload);
    CO_TRY_VOID(co_await route(std::move(out), ""));
  } else if (auto* get = std::get_if<wire::TwinGet>(&topic)) {
    co_await answer_get(session, std::move(get->rid));
  } else if (auto* patch = std::get_if<wire::ReportedPatch>(&topic)) {
    co_await answer_patch(session, std::move(patch->rid), std::move(message.payload));
  }
  // A method's answer: nobody here asked.
  co_return Result<void>();
}

Task<void> Broker::will(std::shared_ptr<Session> session, mqtt::Will will) {
  mqtt::Publish message{will.topic, will.payload, will.qos};
  (void)co_await publish(std::move(session), std::move(message));
}

Task<void> Broker::answer_get(std::shared_ptr<Session> session, std::string rid) {
  const std::string module = session->context_as<Client>()->address.module;
  auto twin = twins_->get(module);
  if (!twin) {
    // Nothing was heard of it yet: perhaps the hub can tell.
    const auto synced = co_await sync_once(module, true);
    if (synced) twin = twins_->get(module);
    if (!synced) twin = std::unexpected(synced.error());
  }
  if (!twin) {
    answer_error(session, rid, twin.error());
    co_return;
  }
  answer(session, wire::twin_response_topic(200, rid), json::serialize(*twin));
}

Task<void> Broker::answer_patch(std::shared_ptr<Session> session, std::string rid,
                                std::string payload) {
  const std::string module = session->context_as<Client>()->address.module;
  auto patch = parse_json_object(payload, "the reported properties");
  if (!patch) {
    answer_error(session, rid, patch.error());
    co_return;
  }
  const auto version = co_await twins_->patch_reported(module, std::move(*patch));
  if (!version) {
    answer_error(session, rid, version.error());
    co_return;
  }
  answer(session, wire::twin_response_topic(204, rid, static_cast<uint64_t>(*version)), "");
  want_sync(module, false);
}

}  // namespace holdfast::broker
