#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "console/console.h"

namespace holdfast::console {
namespace {

namespace json = boost::json;

constexpr uint64_t kBody = 64 << 10;

http::Response answer(unsigned status, const json::value& value) {
  return http::Response(status, "application/json", json::serialize(value));
}

// The one field `name` of a JSON object; other fields are refused by name.
Task<Result<std::string>> name_in_body(http::Request& request) {
  CO_TRY(const std::string body, co_await read_all(*request.body, kBody));
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  if (error || !value.is_object())
    co_return fail(Code::invalid_argument,
                   "the body must be a JSON object like {\"name\":\"site1\"}");
  for (const auto& [key, ignored] : value.as_object()) {
    if (key != "name")
      co_return fail(Code::invalid_argument,
                     "unknown field '" + std::string(key) + "'; name is known");
  }
  const json::value* name = value.as_object().if_contains("name");
  if (name == nullptr || !name->is_string())
    co_return fail(Code::invalid_argument, "the field 'name' is required and is a text");
  co_return std::string(name->as_string());
}

struct Api {
  Api(identity::Accounts& accounts_, const HubView& view_) : accounts(accounts_), view(view_) {}
  identity::Accounts& accounts;
  const HubView& view;

  json::object describe(const identity::StorageAccount& account) const {
    json::object out;
    out["name"] = account.name;
    out["created"] = format_rfc3339(account.created);
    out["endpoint"] = view.blob_endpoint + "/" + account.name;
    return out;
  }
  static json::object keys_of(const identity::StorageAccount& account) {
    json::array keys;
    for (size_t i = 0; i < account.keys.size(); ++i) {
      json::object key;
      key["name"] = "key" + std::to_string(i + 1);
      key["value"] = base64(as_bytes(account.keys[i]));
      keys.push_back(std::move(key));
    }
    json::object out;
    out["keys"] = std::move(keys);
    return out;
  }
  Task<Result<http::Response>> list(http::Request&) {
    json::array rows;
    for (const auto& account : accounts.list()) rows.push_back(describe(*account));
    json::object out;
    out["accounts"] = std::move(rows);
    co_return answer(200, out);
  }
  Task<Result<http::Response>> create(http::Request& request) {
    CO_TRY(std::string name, co_await name_in_body(request));
    CO_TRY(const auto account, co_await accounts.create(std::move(name)));
    co_return answer(201, describe(account));
  }
  Task<Result<http::Response>> show(http::Request& request) {
    CO_TRY(const auto account, accounts.find(request.param("name")));
    co_return answer(200, describe(*account));
  }
  Task<Result<http::Response>> remove(http::Request& request) {
    const std::string name(request.param("name"));
    CO_TRY_VOID(accounts.find(name));
    CO_TRY(const bool used, co_await view.has_containers(name));
    if (used)
      co_return fail(Code::conflict,
                     "the account '" + name + "' still has containers; delete them first");
    CO_TRY_VOID(co_await accounts.remove(name));
    co_return http::Response(204);
  }
  Task<Result<http::Response>> keys(http::Request& request) {
    CO_TRY(const auto account, accounts.find(request.param("name")));
    co_return answer(200, keys_of(*account));
  }
  Task<Result<http::Response>> rotate(http::Request& request) {
    const std::string_view key = request.param("key");
    if (key != "key1" && key != "key2")
      co_return fail(Code::not_found, "an account has the keys key1 and key2");
    CO_TRY(const auto account,
           co_await accounts.rotate(std::string(request.param("name")), key == "key1" ? 0 : 1));
    co_return answer(200, keys_of(account));
  }
};

}  // namespace

void mount(http::Router& router, identity::Accounts& accounts, const HubView& view) {
  using http::Role;
  auto api = std::make_shared<Api>(accounts, view);
  router.add("GET", "/healthz", Role::anonymous,
             [](http::Request&) -> Task<Result<http::Response>> {
               co_return http::Response(200, "application/json", R"({"status":"ok"})");
             });
  router.add("GET", "/api/v1/status", Role::reader,
             [api](http::Request&) -> Task<Result<http::Response>> {
               json::object out;
               out["version"] = api->view.version;
               out["started"] = format_rfc3339(api->view.started);
               out["blob"] = api->view.blob_url;
               out["accounts"] = api->accounts.list().size();
               co_return answer(200, out);
             });
  router.add("GET", "/api/v1/storage/accounts", Role::reader,
             [api](http::Request& r) { return api->list(r); });
  router.add("POST", "/api/v1/storage/accounts", Role::admin,
             [api](http::Request& r) { return api->create(r); });
  router.add("GET", "/api/v1/storage/accounts/{name}", Role::reader,
             [api](http::Request& r) { return api->show(r); });
  router.add("DELETE", "/api/v1/storage/accounts/{name}", Role::admin,
             [api](http::Request& r) { return api->remove(r); });
  router.add("GET", "/api/v1/storage/accounts/{name}/keys", Role::admin,
             [api](http::Request& r) { return api->keys(r); });
  router.add("POST", "/api/v1/storage/accounts/{name}/keys/{key}/rotate", Role::admin,
             [api](http::Request& r) { return api->rotate(r); });
}

}  // namespace holdfast::console
