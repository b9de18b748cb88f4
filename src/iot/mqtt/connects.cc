// Who may connect: the user name, the identity, the token.
#include "base/log.h"
#include "device_wire/sas.h"
#include "iot/mqtt/gateway.h"

namespace holdfast::iot {
namespace {

namespace wire = device_wire;

constexpr auto kSkew = std::chrono::seconds(300);

}  // namespace

Result<std::string> Gateway::check_token(const mqtt::Connect& request, const std::string& host,
                                         const Identity& identity, WallTime& expires) const {
  TRY(const wire::SasToken token, wire::parse_sas(request.password.value_or("")));
  expires = token.expires;
  const std::string resource = wire::resource_of(host, identity.address);
  if (!token.policy.empty()) {
    TRY(const auto keys, devices_.policy(token.policy));
    TRY_VOID(wire::verify_sas(token, keys, clock_, kSkew));
    if (wire::covers(token.resource, resource)) return std::string();
  } else {
    if (!wire::same_resource(token.resource, resource))
      return fail(Code::unauthenticated, "the token is for another resource");
    Result<void> verified;
    for (const auto& key : identity.keys) {
      verified = wire::verify_sas(token, std::span(&key, 1), clock_, kSkew);
      if (verified) return key;
    }
    return std::unexpected(verified.error());
  }
  return fail(Code::unauthenticated, "the token is for another resource");
}

Result<mqtt::ConnectAnswer> Gateway::check(const mqtt::Connect& request) const {
  TRY(const wire::ConnectName name, wire::parse_connect_name(request.username.value_or("")));
  if (request.client_id != name.address.text())
    return fail(Code::invalid_argument, "the client id is not that of the user name");
  TRY(const auto identity, devices_.admit(name.address));
  auto client = std::make_shared<Client>();
  WallTime expires;
  TRY(client->key, check_token(request, name.host, *identity, expires));
  client->address = name.address;
  client->keeps_session = !request.clean_session;
  mqtt::ConnectAnswer out;
  // A clock that is a little slow may connect with a token that has just expired here.
  out.expires = expires > clock_.now() ? expires : expires + kSkew;
  out.context = std::move(client);
  return out;
}

Task<mqtt::ConnectAnswer> Gateway::connect(const mqtt::Connect& request, const mqtt::Peer& peer) {
  mqtt::ConnectAnswer refused;
  auto checked = check(request);
  if (!checked) {
    log::info("iot", "a connect was refused",
              {{"client", request.client_id.substr(0, 260)},
               {"peer", peer.address},
               {"why", checked.error().message()}});
    refused.code = checked.error().code() == Code::denied ? mqtt::ConnectCode::not_authorized
                                                          : mqtt::ConnectCode::bad_credentials;
    co_return refused;
  }
  const Address address = std::static_pointer_cast<Client>(checked->context)->address;
  auto stored = co_await subscriptions_.of(address);
  if (stored && request.clean_session && !stored->empty()) {
    if (auto cleared = co_await subscriptions_.clear(address); !cleared)
      stored = std::unexpected(cleared.error());
  }
  if (!stored) {
    log::error("iot", "a session can not be read", {{"error", stored.error().message()}});
    refused.code = mqtt::ConnectCode::unavailable;
    co_return refused;
  }
  if (!request.clean_session) {
    checked->session_present = !stored->empty();
    checked->subscriptions = std::move(*stored);
  }
  co_return std::move(*checked);
}

}  // namespace holdfast::iot
