// /twins, methods, /devices/{d}/applyConfigurationContent
#include <boost/json/serialize.hpp>

#include "base/exact_json.h"
#include "iot/documents.h"
#include "iot/http/service.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;
using Need = Service::Need;

constexpr std::string_view kTwinFields[] = {"deviceId",
                                            "moduleId",
                                            "tags",
                                            "properties",
                                            "etag",
                                            "version",
                                            "deviceEtag",
                                            "status",
                                            "statusReason",
                                            "statusUpdateTime",
                                            "connectionState",
                                            "lastActivityTime",
                                            "cloudToDeviceMessageCount",
                                            "authenticationType",
                                            "x509Thumbprint",
                                            "capabilities",
                                            "deviceScope",
                                            "parentScopes",
                                            "managedBy",
                                            "modelId"};
constexpr std::string_view kMethodFields[] = {"methodName", "payload", "responseTimeoutInSeconds",
                                              "connectTimeoutInSeconds", "timeout"};
constexpr std::string_view kContentFields[] = {"modulesContent", "deviceContent"};

std::unexpected<Error> wrong(std::string text) {
  return fail(Code::invalid_argument, std::move(text));
}

Result<TwinChange> change_of(const json::object& body) {
  TwinChange change;
  if (const auto* tags = body.if_contains("tags"); tags != nullptr && !tags->is_null()) {
    TRY(change.tags, as_section(*tags, "tags"));
  }
  const auto* properties = body.if_contains("properties");
  if (properties == nullptr || properties->is_null()) return change;
  if (!properties->is_object()) return wrong("'properties' must be an object");
  for (const auto& [name, value] : properties->as_object()) {
    if (name != "desired" && name != "reported")
      return wrong("'properties." + std::string(name) + "' is not understood; desired is");
  }
  const auto* desired = properties->as_object().if_contains("desired");
  if (desired != nullptr && !desired->is_null()) {
    TRY(change.desired, as_section(*desired, "properties.desired"));
  }
  return change;
}

Result<std::chrono::milliseconds> seconds_of(const json::object& body, std::string_view name,
                                             uint64_t otherwise, uint64_t least) {
  const auto* value = body.if_contains(name);
  if (value == nullptr || value->is_null()) return std::chrono::seconds(otherwise);
  boost::system::error_code error;
  const auto number = value->to_number<uint64_t>(error);
  if (error || number < least || number > 300)
    return wrong("'" + std::string(name) + "' is a number of seconds from " +
                 std::to_string(least) + " to 300");
  return std::chrono::seconds(number);
}

json::object with_state(const Section& section) {
  json::object out = section.values;
  out["$metadata"] = section.metadata;
  out["$version"] = section.version;
  return out;
}

struct TwinRoutes {
  explicit TwinRoutes(std::shared_ptr<Service> service_) : service(std::move(service_)) {}
  std::shared_ptr<Service> service;

  Result<http::Response> shown(const Result<Twin>& twin) const {
    if (!twin) return std::unexpected(twin.error());
    return with_etag(answer(200, service->describe(*twin)), twin->etag);
  }
  Answer show(http::Request& request) {
    CO_TRY_VOID(service->admit(request, Need::read));
    co_return shown(co_await service->twins.get(address_of(request)));
  }
  Answer patch(http::Request& request) {
    CO_TRY_VOID(service->admit(request, Need::write));
    CO_TRY(const json::object body, co_await body_object(request, kTwinFields));
    CO_TRY(TwinChange change, change_of(body));
    co_return shown(
        co_await service->twins.patch(address_of(request), std::move(change), if_match(request)));
  }
  Answer put(http::Request& request) {
    CO_TRY_VOID(service->admit(request, Need::write));
    CO_TRY(const json::object body, co_await body_object(request, kTwinFields));
    CO_TRY(TwinChange change, change_of(body));
    if (!change.tags) change.tags = json::object();
    if (!change.desired) change.desired = json::object();
    co_return shown(
        co_await service->twins.replace(address_of(request), std::move(change), if_match(request)));
  }
  Answer apply(http::Request& request) {
    CO_TRY_VOID(service->admit(request, Need::write));
    CO_TRY(json::object body, co_await body_object(request, kContentFields));
    CO_TRY_VOID(co_await service->twins.apply_configuration(std::string(request.param("device")),
                                                            std::move(body)));
    co_return http::Response(204);
  }
  Answer invoke(http::Request& request) {
    CO_TRY_VOID(service->admit(request, Need::write));
    CO_TRY(const json::object body, co_await body_object(request, kMethodFields));
    MethodCall call;
    const auto* name = body.if_contains("methodName");
    if (name == nullptr || !name->is_string()) co_return wrong("'methodName' is needed");
    call.name = std::string(name->as_string());
    if (const auto* payload = body.if_contains("payload")) call.payload = json::serialize(*payload);
    // The C SDK's edge client says "timeout".
    const bool c_sdk = body.contains("timeout") && !body.contains("responseTimeoutInSeconds");
    CO_TRY(call.answer_within,
           seconds_of(body, c_sdk ? "timeout" : "responseTimeoutInSeconds", 30, 1));
    CO_TRY(call.connect_within, seconds_of(body, "connectTimeoutInSeconds", 0, 0));
    CO_TRY(const MethodAnswer got,
           co_await service->gateway.invoke(address_of(request), std::move(call)));
    json::object out;
    out["status"] = got.status;
    auto payload = parse_json_exactly(got.payload);
    // An answer that is no JSON is passed on as a text.
    out["payload"] = payload               ? std::move(*payload)
                     : got.payload.empty() ? json::value()
                                           : json::value(got.payload);
    co_return answer(200, out);
  }
};

}  // namespace

json::object Service::describe(const Twin& twin) const {
  json::object properties, out;
  properties["desired"] = with_state(twin.desired);
  properties["reported"] = with_state(twin.reported);
  out["deviceId"] = twin.address.device;
  if (!twin.address.module.empty()) out["moduleId"] = twin.address.module;
  out["etag"] = twin.etag;
  if (const auto found = devices.find(twin.address)) {
    const json::object identity = describe(**found);
    out["deviceEtag"] = identity.at("etag");
    out["status"] = (*found)->enabled ? "enabled" : "disabled";
    out["statusUpdateTime"] = format_rfc3339((*found)->status_changed, 7);
    for (const char* name : {"connectionState", "lastActivityTime", "cloudToDeviceMessageCount"})
      out[name] = identity.at(name);
    out["authenticationType"] = "sas";
    out["x509Thumbprint"] = identity.at("authentication").as_object().at("x509Thumbprint");
    if (const auto* capabilities = identity.if_contains("capabilities"))
      out["capabilities"] = *capabilities;
  }
  out["version"] = twin.version;
  out["tags"] = twin.tags;
  out["properties"] = std::move(properties);
  return out;
}

void mount_twins(http::Router& router, std::shared_ptr<Service> service) {
  auto at = std::make_shared<TwinRoutes>(std::move(service));
  const auto add = [&](const char* method, std::string pattern,
                       Answer (TwinRoutes::*call)(http::Request&)) {
    router.add(method, pattern, http::Role::own, error_answer,
               [at, call](http::Request& request) { return (at.get()->*call)(request); });
  };
  for (const std::string twin : {"/twins/{device}", "/twins/{device}/modules/{module}"}) {
    add("GET", twin, &TwinRoutes::show);
    add("PATCH", twin, &TwinRoutes::patch);
    add("PUT", twin, &TwinRoutes::put);
    add("POST", twin + "/methods", &TwinRoutes::invoke);
  }
  add("POST", "/devices/{device}/applyConfigurationContent", &TwinRoutes::apply);
}

}  // namespace holdfast::iot
