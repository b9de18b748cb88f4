#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "identity/accounts.h"
#include "identity/http/identity.h"

namespace holdfast::identity {
namespace {

namespace json = boost::json;

constexpr uint64_t kBody = 16 << 10;

json::object describe(const Application& application) {
  json::object out;
  out["client_id"] = application.id;
  out["name"] = application.name;
  out["role"] = application.role;
  if (!application.account.empty()) out["account"] = application.account;
  out["created"] = format_rfc3339(application.created);
  return out;
}

struct Wanted {
  std::string name, role, account;
};

Result<Wanted> parse(const std::string& body) {
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  if (error || !value.is_object())
    return fail(Code::invalid_argument,
                R"(the body must be a JSON object like {"name":"ci","role":")" +
                    std::string(kBlobReader) + R"("})");
  Wanted wanted;
  for (const auto& [key, field] : value.as_object()) {
    std::string* into = key == "name"      ? &wanted.name
                        : key == "role"    ? &wanted.role
                        : key == "account" ? &wanted.account
                                           : nullptr;
    if (into == nullptr || !field.is_string())
      return fail(Code::invalid_argument, "not understood: '" + std::string(key) +
                                              "'; name, role and account are texts that are known");
    *into = field.get_string();
  }
  return wanted;
}

http::Response answer(unsigned status, const json::value& value) {
  http::Response response(status, "application/json", json::serialize(value));
  response.header("Cache-Control", "no-store");
  return response;
}

Task<Result<http::Response>> create(Applications& applications, const TokenIssuer& issuer,
                                    http::Request& request) {
  CO_TRY(const std::string body, co_await read_all(*request.body, kBody));
  CO_TRY(Wanted wanted, parse(body));
  CO_TRY(const Applications::Made made,
         co_await applications.create(std::move(wanted.name), std::move(wanted.role),
                                      std::move(wanted.account)));
  json::object out = describe(made.application);
  out["client_secret"] = made.secret;
  out["tenant_id"] = issuer.tenant();
  co_return answer(201, out);
}

Task<Result<http::Response>> list(const Applications& applications, const TokenIssuer& issuer) {
  json::array rows;
  for (const Application& one : applications.list()) rows.push_back(describe(one));
  json::object out;
  out["tenant_id"] = issuer.tenant();
  out["applications"] = std::move(rows);
  co_return answer(200, out);
}

Task<Result<http::Response>> revoke(Applications& applications, std::string id) {
  CO_TRY_VOID(co_await applications.revoke(std::move(id)));
  co_return http::Response(204);
}

Task<Result<http::Response>> revoke_keys(DelegationKeys& keys, std::string account) {
  CO_TRY_VOID(check_account_name(account));
  CO_TRY_VOID(co_await keys.revoke(std::move(account)));
  co_return http::Response(204);
}

}  // namespace

void mount_applications(http::Router& router, Applications& applications,
                        DelegationKeys& delegation, const TokenIssuer& issuer) {
  using http::Role;
  router.add(
      "POST", "/api/v1/storage/accounts/{name}/delegation-keys/revoke", Role::admin,
      [&](http::Request& r) { return revoke_keys(delegation, std::string(r.param("name"))); });
  router.add("GET", "/api/v1/identity/applications", Role::admin,
             [&](http::Request&) { return list(applications, issuer); });
  router.add("POST", "/api/v1/identity/applications", Role::admin,
             [&](http::Request& r) { return create(applications, issuer, r); });
  router.add("DELETE", "/api/v1/identity/applications/{id}", Role::admin,
             [&](http::Request& r) { return revoke(applications, std::string(r.param("id"))); });
}

}  // namespace holdfast::identity
