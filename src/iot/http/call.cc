// Who may call, how errors look, how bodies are read.
#include <boost/json/serialize.hpp>

#include <algorithm>

#include "base/exact_json.h"
#include "device_wire/sas.h"
#include "iot/http/service.h"
#include "iot/proof.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;
namespace wire = device_wire;

constexpr uint64_t kBody = 1 << 20;

struct Named {
  std::string_view reason;
  unsigned status;
  std::string_view code;
};
constexpr Named kByReason[] = {
    {"device_not_found", 404, "DeviceNotFound"},
    {"module_not_found", 404, "ModuleNotFound"},
    {"not_online", 404, "DeviceNotOnline"},
    {"device_exists", 409, "DeviceAlreadyExists"},
    {"module_exists", 409, "ModuleAlreadyExistsOnDevice"},
    {"etag", 412, "PreconditionFailed"},
    {"throttled", 429, "ThrottlingException"},
};

Named named(const Error& error) {
  for (const auto& each : kByReason) {
    if (each.reason == error.reason()) return each;
  }
  switch (error.code()) {
    case Code::invalid_argument:
      return {"", 400, "ArgumentInvalid"};
    case Code::too_large:
      return {"", 413, "RequestEntityTooLarge"};
    case Code::unauthenticated:
      return {"", 401, "IotHubUnauthorizedAccess"};
    case Code::denied:
      return {"", 403, "IotHubForbidden"};
    case Code::timed_out:
      return {"", 504, "GatewayTimeout"};
    case Code::unavailable:
      return {"", 503, "ServiceUnavailable"};
    case Code::not_found:
      return {"", 404, "NotFound"};
    case Code::unsupported:
      return {"", 400, "InvalidOperation"};
    default:
      return {"", http::status_of(error.code()), "ServerError"};
  }
}

}  // namespace

http::Response error_answer(const Error& error, const http::Request& request) {
  const Named name = named(error);
  json::object out;
  out["Message"] = "ErrorCode:" + std::string(name.code) + ";" + error.message();
  out["ExceptionMessage"] = "Tracking ID:" + request.id;
  http::Response response = answer(name.status, out);
  response.header("iothub-errorcode", std::string(name.code));
  if (name.status == 401) response.header("WWW-Authenticate", "SharedAccessSignature");
  if (name.status == 429 || name.status == 503) response.header("Retry-After", "1");
  return response;
}

Result<void> Service::admit(const http::Request& request, Need need,
                            const std::optional<Address>& own) const {
  const auto header = request.headers.get("Authorization");
  if (!header)
    return fail(Code::unauthenticated,
                "an Authorization header is needed: SharedAccessSignature "
                "of a policy, or an administrator's bearer token");
  if (!header->starts_with("SharedAccessSignature")) {
    if (!authenticator) return fail(Code::unauthenticated, "this kind of credential is not taken");
    TRY(const http::Principal who, authenticator(request));
    if (who.name.empty())
      return fail(Code::unauthenticated, "this kind of credential is not taken");
    if (who.role == "admin" || who.role == "operator") return {};
    if (need == Need::read && who.role == "reader" && !own) return {};
    return fail(Code::denied, "the role '" + who.role + "' is not enough for this");
  }
  const auto token = wire::parse_sas(*header);
  if (!token) return fail(Code::unauthenticated, token.error().message());
  if (!token->policy.empty()) {
    const auto keys = devices.policy(token->policy);
    if (!keys) return fail(Code::unauthenticated, keys.error().message());
    TRY_VOID(wire::verify_sas(*token, *keys, clock));
    const size_t slash = token->resource.find('/');
    const std::string scope = slash == std::string::npos ? "" : token->resource.substr(slash);
    if (scope.empty() || wire::covers(scope, request.path)) return {};
    return fail(Code::unauthenticated, "the token is for another resource");
  }
  TRY(const Address owner, prove(devices, *token, clock));
  const bool whole_device = own && owner.module.empty() && owner.device == own->device;
  if (need == Need::read && (whole_device || own == owner)) return {};
  return fail(Code::denied, "a device may only read itself and its modules");
}

Task<Result<json::object>> body_object(http::Request& request,
                                       std::span<const std::string_view> known) {
  CO_TRY(const std::string text, co_await read_all(*request.body, kBody));
  auto value = parse_json_exactly(text, 48);
  if (!value)
    co_return fail(Code::invalid_argument, "the body is not JSON: " + value.error().message());
  if (!value->is_object()) co_return fail(Code::invalid_argument, "the body must be a JSON object");
  for (const auto& [name, ignored] : value->get_object()) {
    if (std::ranges::find(known, std::string_view(name)) == known.end())
      co_return fail(Code::invalid_argument,
                     "the field '" + std::string(name) + "' is not understood here");
  }
  co_return std::move(value->get_object());
}

http::Response answer(unsigned status, const json::value& value) {
  return http::Response(status, "application/json; charset=utf-8", json::serialize(value));
}

http::Response with_etag(http::Response response, std::string_view etag) {
  response.header("ETag", "\"" + std::string(etag) + "\"");
  return response;
}

IfMatch if_match(const http::Request& request) {
  const auto header = request.headers.get("If-Match");
  if (!header) return std::nullopt;
  std::string_view text = trim(*header);
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"'))
    text = text.substr(1, text.size() - 2);
  return std::string(text);
}

Address address_of(const http::Request& request) {
  return {std::string(request.param("device")), std::string(request.param("module"))};
}

}  // namespace holdfast::iot
