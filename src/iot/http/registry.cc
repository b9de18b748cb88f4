// /devices, /devices/{d}/modules, /statistics
#include <boost/json/array.hpp>

#include "iot/http/service.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;
using Need = Service::Need;

constexpr std::string_view kFields[] = {"deviceId",
                                        "moduleId",
                                        "generationId",
                                        "etag",
                                        "connectionState",
                                        "status",
                                        "statusReason",
                                        "connectionStateUpdatedTime",
                                        "statusUpdatedTime",
                                        "lastActivityTime",
                                        "cloudToDeviceMessageCount",
                                        "authentication",
                                        "capabilities",
                                        "deviceScope",
                                        "parentScopes",
                                        "managedBy"};

std::unexpected<Error> wrong(std::string text) {
  return fail(Code::invalid_argument, std::move(text));
}

// A text field; nullopt where it is absent, null or empty.
Result<std::optional<std::string>> text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_string()) return wrong("the field '" + std::string(name) + "' must be a text");
  if (value->as_string().empty()) return std::nullopt;
  return std::string(value->as_string());
}

Result<void> read_authentication(const json::value& value, IdentityWishes& wishes) {
  if (value.is_null()) return {};
  if (!value.is_object()) return wrong("'authentication' must be an object");
  const json::object& object = value.as_object();
  TRY(const auto type, text_of(object, "type"));
  if (type && *type != "sas")
    return fail(Code::unsupported, "authentication of type '" + *type + "' is not offered; sas is");
  const auto* key = object.if_contains("symmetricKey");
  if (key == nullptr || key->is_null()) return {};
  if (!key->is_object()) return wrong("'authentication.symmetricKey' must be an object");
  TRY(wishes.keys[0], text_of(key->as_object(), "primaryKey"));
  TRY(wishes.keys[1], text_of(key->as_object(), "secondaryKey"));
  return {};
}

Result<IdentityWishes> wishes_of(const json::object& body, const Address& address) {
  IdentityWishes wishes;
  TRY(const auto device, text_of(body, "deviceId"));
  if (device && *device != address.device) return wrong("'deviceId' is not the device of the path");
  TRY(const auto module, text_of(body, "moduleId"));
  if (module && *module != address.module) return wrong("'moduleId' is not the module of the path");
  TRY(const auto status, text_of(body, "status"));
  if (status && *status != "enabled" && *status != "disabled")
    return wrong("'status' is enabled or disabled");
  if (status) wishes.enabled = *status == "enabled";
  TRY(wishes.status_reason, text_of(body, "statusReason"));
  TRY(wishes.managed_by, text_of(body, "managedBy"));
  if (const auto* authentication = body.if_contains("authentication"))
    TRY_VOID(read_authentication(*authentication, wishes));
  if (const auto* capabilities = body.if_contains("capabilities");
      capabilities != nullptr && !capabilities->is_null()) {
    const auto* edge =
        capabilities->is_object() ? capabilities->as_object().if_contains("iotEdge") : nullptr;
    if (edge == nullptr || !edge->is_bool())
      return wrong("'capabilities.iotEdge' must be true or false");
    wishes.edge = edge->as_bool();
  }
  return wishes;
}

std::string time_text(WallTime time) {
  return time == WallTime{} ? "0001-01-01T00:00:00Z" : format_rfc3339(time, 7);
}

struct Registry {
  explicit Registry(std::shared_ptr<Service> service_) : service(std::move(service_)) {}
  std::shared_ptr<Service> service;

  Answer list(http::Request& request) {
    CO_TRY_VOID(service->admit(request, Need::write));  // the answer holds keys
    uint64_t top = 1000;
    if (const auto text = request.query_value("top")) {
      const auto number = parse_u64(*text);
      if (!number || *number == 0 || *number > 1000)
        co_return wrong("'top' is a number from 1 to 1000");
      top = *number;
    }
    json::array out;
    for (const auto& each : service->devices.list(top, request.query_value("after").value_or("")))
      out.push_back(service->describe(*each));
    co_return answer(200, out);
  }
  Answer modules(http::Request& request) {
    const Address device = address_of(request);
    CO_TRY_VOID(service->admit(request, Need::read, device));
    CO_TRY(const auto found, service->devices.modules(device.device));
    json::array out;
    for (const auto& each : found) out.push_back(service->describe(*each));
    co_return answer(200, out);
  }
  Answer show(http::Request& request) {
    const Address address = address_of(request);
    CO_TRY_VOID(service->admit(request, Need::read, address));
    CO_TRY(const auto found, service->devices.find(address));
    co_return with_etag(answer(200, service->describe(*found)), found->etag);
  }
  Answer put(http::Request& request) {
    const Address address = address_of(request);
    CO_TRY_VOID(service->admit(request, Need::write));
    CO_TRY(const json::object body, co_await body_object(request, kFields));
    CO_TRY(IdentityWishes wishes, wishes_of(body, address));
    IfMatch condition = if_match(request);
    // Without a condition it is a new one that is meant.
    auto done = condition ? co_await service->devices.update(address, std::move(wishes), condition)
                          : co_await service->devices.create(address, std::move(wishes));
    if (!done) co_return std::unexpected(done.error());
    co_return with_etag(answer(200, service->describe(*done)), done->etag);
  }
  Answer remove(http::Request& request) {
    CO_TRY_VOID(service->admit(request, Need::write));
    CO_TRY_VOID(co_await service->devices.remove(address_of(request), if_match(request)));
    co_return http::Response(204);
  }
  Answer device_statistics(http::Request& request) {
    CO_TRY_VOID(service->admit(request, Need::read));
    uint64_t enabled = 0;
    const auto all = service->devices.list(SIZE_MAX);
    for (const auto& each : all) enabled += each->enabled ? 1 : 0;
    json::object out;
    out["totalDeviceCount"] = all.size();
    out["enabledDeviceCount"] = enabled;
    out["disabledDeviceCount"] = all.size() - enabled;
    co_return answer(200, out);
  }
  Answer service_statistics(http::Request& request) {
    CO_TRY_VOID(service->admit(request, Need::read));
    json::object out;
    out["connectedDeviceCount"] = service->gateway.connected_count();
    co_return answer(200, out);
  }
};

}  // namespace

json::object Service::describe(const Identity& identity) const {
  const Presence presence = devices.presence(identity.address);
  json::object keys, thumbprints, authentication, out;
  keys["primaryKey"] = identity.keys[0];
  keys["secondaryKey"] = identity.keys[1];
  thumbprints["primaryThumbprint"] = nullptr;
  thumbprints["secondaryThumbprint"] = nullptr;
  authentication["type"] = "sas";
  authentication["symmetricKey"] = std::move(keys);
  authentication["x509Thumbprint"] = std::move(thumbprints);
  out["deviceId"] = identity.address.device;
  if (!identity.address.module.empty()) {
    out["moduleId"] = identity.address.module;
    out["managedBy"] = identity.managed_by;
  } else {
    json::object capabilities;
    capabilities["iotEdge"] = identity.edge;
    out["capabilities"] = std::move(capabilities);
    out["status"] = identity.enabled ? "enabled" : "disabled";
    out["statusReason"] =
        identity.status_reason.empty() ? json::value() : json::value(identity.status_reason);
    out["statusUpdatedTime"] = time_text(identity.status_changed);
  }
  out["generationId"] = identity.generation;
  out["etag"] = identity.etag;
  out["connectionState"] = presence.connected ? "Connected" : "Disconnected";
  out["connectionStateUpdatedTime"] = time_text(presence.changed);
  out["lastActivityTime"] = time_text(presence.last_activity);
  out["cloudToDeviceMessageCount"] = 0;
  out["authentication"] = std::move(authentication);
  return out;
}

void mount_registry(http::Router& router, std::shared_ptr<Service> service) {
  auto at = std::make_shared<Registry>(std::move(service));
  const auto add = [&](const char* method, const char* pattern,
                       Answer (Registry::*call)(http::Request&)) {
    router.add(method, pattern, http::Role::own, error_answer,
               [at, call](http::Request& request) { return (at.get()->*call)(request); });
  };
  add("GET", "/devices", &Registry::list);
  add("GET", "/devices/{device}", &Registry::show);
  add("PUT", "/devices/{device}", &Registry::put);
  add("DELETE", "/devices/{device}", &Registry::remove);
  add("GET", "/devices/{device}/modules", &Registry::modules);
  add("GET", "/devices/{device}/modules/{module}", &Registry::show);
  add("PUT", "/devices/{device}/modules/{module}", &Registry::put);
  add("DELETE", "/devices/{device}/modules/{module}", &Registry::remove);
  add("GET", "/statistics/devices", &Registry::device_statistics);
  add("GET", "/statistics/service", &Registry::service_statistics);
}

}  // namespace holdfast::iot
