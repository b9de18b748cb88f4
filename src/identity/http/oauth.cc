#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <map>

#include "identity/http/identity.h"

namespace holdfast::identity {
namespace {

namespace json = boost::json;

constexpr uint64_t kBody = 16 << 10;
constexpr std::chrono::seconds kLife = std::chrono::hours(1);
constexpr std::string_view kResource = "https://storage.azure.com";

http::Response answer(unsigned status, const json::object& value) {
  http::Response response(status, "application/json", json::serialize(value));
  response.header("Cache-Control", "no-store").header("Pragma", "no-cache");
  return response;
}

// RFC 6749, 5.2.
http::Response refusal(unsigned status, std::string_view error, std::string why) {
  json::object out;
  out["error"] = error;
  out["error_description"] = std::move(why);
  http::Response response = answer(status, out);
  if (status == 401) response.header("WWW-Authenticate", "Basic realm=\"holdfast\"");
  return response;
}

using Fields = std::map<std::string, std::string, std::less<>>;

// application/x-www-form-urlencoded. invalid_argument: a broken escape, or a name twice.
Result<Fields> fields_of(std::string_view body) {
  Fields out;
  for (const std::string_view pair : split(body, '&')) {
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    TRY(std::string name, percent_decode(pair.substr(0, equals), true));
    TRY(std::string value, percent_decode(pair.substr(std::min(equals + 1, pair.size())), true));
    if (!out.emplace(name, std::move(value)).second)
      return fail(Code::invalid_argument, "the field '" + name + "' is there twice");
  }
  return out;
}

std::string value_of(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : found->second;
}

// The client's id and secret, in the body or in a Basic header (RFC 6749, 2.3.1).
std::pair<std::string, std::string> client_of(const http::Request& request, const Fields& fields) {
  const std::string_view header = request.headers.get_or("Authorization", "");
  if (!header.starts_with("Basic "))
    return {value_of(fields, "client_id"), value_of(fields, "client_secret")};
  const auto pair = from_base64(trim(header.substr(6)));
  const size_t colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) return {};
  const auto id = percent_decode(pair->substr(0, colon), true),
             secret = percent_decode(pair->substr(colon + 1), true);
  return {id.value_or(""), secret.value_or("")};
}

// "https://storage.azure.com/.default", or with the first form of the protocol the resource alone.
bool for_storage(const Fields& fields) {
  std::string wanted = value_of(fields, "scope");
  if (wanted.empty()) wanted = value_of(fields, "resource");
  std::string_view text = wanted;
  if (text.ends_with("/.default")) text.remove_suffix(9);
  while (text.ends_with('/')) text.remove_suffix(1);
  return text == kResource;
}

struct OAuth {
  const Applications& applications;
  const TokenIssuer& issuer;
  const Clock& clock;

  std::optional<http::Response> misplaced(const http::Request& request) const {
    if (!request.tls) return refusal(400, "invalid_request", "tokens are given over TLS alone");
    if (request.param("tenant") != issuer.tenant())
      return refusal(400, "invalid_tenant",
                     "there is no tenant '" + std::string(request.param("tenant")) + "' here");
    return std::nullopt;
  }

  Task<Result<http::Response>> configuration(http::Request& request) const {
    if (auto wrong = misplaced(request)) co_return std::move(*wrong);
    const std::string base =
        "https://" + std::string(request.headers.get_or("Host", "")) + "/" + issuer.tenant();
    json::object out;
    out["issuer"] = base + "/v2.0";
    out["authorization_endpoint"] = base + "/oauth2/v2.0/authorize";
    out["token_endpoint"] = base + "/oauth2/v2.0/token";
    out["grant_types_supported"] = json::array({"client_credentials"});
    out["response_types_supported"] = json::array();
    out["token_endpoint_auth_methods_supported"] =
        json::array({"client_secret_post", "client_secret_basic"});
    co_return answer(200, out);
  }

  // Clients want the address to be there; no grant begins in a browser.
  Task<Result<http::Response>> authorize(http::Request& request) const {
    if (auto wrong = misplaced(request)) co_return std::move(*wrong);
    co_return refusal(400, "unsupported_response_type",
                      "a token is got with the grant client_credentials alone");
  }

  Task<Result<http::Response>> token(http::Request& request) const {
    if (auto wrong = misplaced(request)) co_return std::move(*wrong);
    CO_TRY(const std::string body, co_await read_all(*request.body, kBody));
    const auto fields = fields_of(body);
    if (!fields) co_return refusal(400, "invalid_request", fields.error().message());
    if (value_of(*fields, "grant_type") != "client_credentials")
      co_return refusal(400, "unsupported_grant_type", "the grant type must be client_credentials");
    const auto [id, secret] = client_of(request, *fields);
    const auto client = applications.authenticate(id, secret);
    if (!client) co_return refusal(401, "invalid_client", client.error().message());
    if (!for_storage(*fields))
      co_return refusal(400, "invalid_scope",
                        "the scope must be " + std::string(kResource) + "/.default");
    json::object out;
    out["token_type"] = "Bearer";
    out["expires_in"] = kLife.count();
    out["access_token"] = issuer.issue({client->id, client->role, clock.now() + kLife});
    co_return answer(200, out);
  }
};

}  // namespace

void mount_oauth(http::Router& router, const Applications& applications, const TokenIssuer& issuer,
                 const Clock& clock) {
  using http::Role;
  auto oauth = std::make_shared<OAuth>(applications, issuer, clock);
  const http::Handler configuration = [oauth](http::Request& r) { return oauth->configuration(r); };
  const http::Handler token = [oauth](http::Request& r) { return oauth->token(r); };
  const http::Handler authorize = [oauth](http::Request& r) { return oauth->authorize(r); };
  for (const char* version : {"", "/v2.0"}) {
    const std::string of = version;
    router.add("GET", "/{tenant}" + of + "/.well-known/openid-configuration", Role::anonymous,
               configuration);
    router.add("GET", "/{tenant}/oauth2" + of + "/authorize", Role::anonymous, authorize);
    router.add("POST", "/{tenant}/oauth2" + of + "/token", Role::anonymous, token);
  }
}

}  // namespace holdfast::identity
