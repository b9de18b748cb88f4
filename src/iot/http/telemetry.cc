// What Azure has no REST for: GET /api/v1/devices/{device}/telemetry and /api/v1/policies/{name}.
#include <boost/json/array.hpp>

#include "iot/http/service.h"
#include "net/mqtt/packet.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;

constexpr uint64_t kMostMessages = 1000;
constexpr uint64_t kMostSeconds = 60;

json::object describe(const Message& message) {
  json::object system, application, out;
  for (const auto& each : message.properties) {
    json::object& into = each.name.starts_with("$.") ? system : application;
    into[each.name.starts_with("$.") ? each.name.substr(2) : each.name] =
        each.value ? json::value(*each.value) : json::value();
  }
  out["sequence"] = message.sequence;
  out["deviceId"] = message.from.device;
  if (!message.from.module.empty()) out["moduleId"] = message.from.module;
  out["enqueuedTime"] = format_rfc3339(message.enqueued);
  out["systemProperties"] = std::move(system);
  out["properties"] = std::move(application);
  // A body is bytes; as a text only where it is one.
  bool text = message.body.size() <= 0xFFFF && mqtt::valid_text(message.body);
  if (text)
    out["body"] = message.body;
  else
    out["bodyBase64"] = base64(as_bytes(message.body));
  return out;
}

Result<uint64_t> number_of(const http::Request& request, std::string_view name, uint64_t otherwise,
                           uint64_t most) {
  const auto text = request.query_value(name);
  if (!text) return otherwise;
  const auto number = parse_u64(*text);
  if (!number || *number > most)
    return fail(Code::invalid_argument,
                "'" + std::string(name) + "' is a number up to " + std::to_string(most));
  return *number;
}

Task<Result<http::Response>> read(std::shared_ptr<Service> service, http::Request& request) {
  CO_TRY_VOID(service->admit(request, Service::Need::read));
  const std::string device(request.param("device"));
  CO_TRY_VOID(service->devices.find({device, ""}));
  CO_TRY(const uint64_t after, number_of(request, "after", 0, INT64_MAX));
  CO_TRY(const uint64_t limit, number_of(request, "limit", 100, kMostMessages));
  CO_TRY(const uint64_t seconds, number_of(request, "wait", 0, kMostSeconds));
  CO_TRY(const auto messages,
         co_await service->telemetry.wait(device, after, limit, std::chrono::seconds(seconds)));
  json::array rows;
  for (const auto& each : messages) rows.push_back(describe(each));
  json::object out;
  out["messages"] = std::move(rows);
  out["last"] = messages.empty() ? after : messages.back().sequence;
  co_return answer(200, out);
}

// The keys of a service policy, for those who make connection strings.
Task<Result<http::Response>> show_policy(std::shared_ptr<Service> service, http::Request& request) {
  const std::string name(request.param("name"));
  CO_TRY(const auto keys, service->devices.policy(name));
  json::object out;
  out["name"] = name;
  out["primaryKey"] = keys[0];
  out["secondaryKey"] = keys[1];
  co_return answer(200, out);
}

}  // namespace

void mount_telemetry(http::Router& router, std::shared_ptr<Service> service) {
  router.add("GET", "/api/v1/devices/{device}/telemetry", http::Role::own,
             [service](http::Request& request) { return read(service, request); });
  router.add("GET", "/api/v1/policies/{name}", http::Role::admin,
             [service](http::Request& request) { return show_policy(service, request); });
}

}  // namespace holdfast::iot
