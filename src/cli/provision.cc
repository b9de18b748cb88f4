#include "cli/provision.h"

#include <boost/json/object.hpp>

#include "base/files.h"
#include "cli/answer.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

Result<void> keep(const Globals& globals, const char* name, const std::string& secret) {
  TRY_VOID(make_directories(globals.data + "/edge/secrets", 0700));
  return replace_file(globals.data + "/edge/secrets/" + name, as_bytes(secret + "\n"), 0600);
}

Task<Result<void>> make_account(Context& context) {
  auto made = co_await context.hub_call("POST", "/api/v1/storage/accounts", R"({"name":"site1"})");
  if (!made && made.error().code() != Code::conflict) co_return std::unexpected(made.error());
  CO_TRY(const std::string key, co_await context.account_key("site1"));
  co_return keep(context.globals(), "site1.key", key);
}

Task<Result<void>> make_device(Context& context) {
  const std::string path = std::string("/devices/") + kThisDevice + "?api-version=2021-04-12";
  auto device = co_await context.hub_call("PUT", path, R"({"capabilities":{"iotEdge":true}})");
  if (!device && device.error().code() == Code::conflict)
    device = co_await context.hub_call("GET", path);
  if (!device) co_return std::unexpected(device.error());
  CO_TRY(const json::value authentication, field_of(*device, "authentication"));
  CO_TRY(const json::value keys, field_of(authentication, "symmetricKey"));
  CO_TRY(const std::string key, text_of(keys, "primaryKey"));
  co_return keep(context.globals(), "device.key", key);
}

}  // namespace

Task<Result<void>> provision_edge(const Globals& globals) {
  CO_TRY(auto tls, client_tls(globals));
  Context context(globals, std::move(tls));
  CO_TRY_VOID(co_await make_account(context));
  co_return co_await make_device(context);
}

}  // namespace holdfast::cli
