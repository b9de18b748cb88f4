#include "device/identity.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "device_wire/sas.h"

namespace holdfast::device {
namespace {

namespace json = boost::json;
namespace wire = device_wire;

constexpr auto kLife = std::chrono::hours(1);
constexpr uint64_t kAnswer = 64 << 10;

// authentication.symmetricKey.primaryKey of an identity; "" where there is none.
std::string key_in(const std::string& body) {
  boost::system::error_code error;
  const json::value identity = json::parse(body, error);
  const json::value* at = error ? nullptr : &identity;
  for (const char* name : {"authentication", "symmetricKey", "primaryKey"})
    at = at != nullptr && at->is_object() ? at->as_object().if_contains(name) : nullptr;
  return at != nullptr && at->is_string() ? std::string(at->as_string()) : "";
}

}  // namespace

Result<std::unique_ptr<Identity>> Identity::open(Hub hub, std::string device, std::string key,
                                                 http::Client& client, const Clock& clock) {
  TRY_VOID(wire::check_id(device, "the device's name"));
  std::unique_ptr<Identity> made(
      new Identity(std::move(hub), std::move(device), std::move(key), client, clock));
  TRY_VOID(made->signature());  // the key is one
  return made;
}

Result<std::string> Identity::signature() const {
  return wire::make_sas(wire::resource_of(hub_.name, {device_, ""}), key_, clock_.now() + kLife);
}

Task<Result<std::string>> Identity::module_signature(std::string module) const {
  http::ClientRequest request("GET", hub_.http + "/devices/" + percent_encode(device_) +
                                         "/modules/" + percent_encode(module) +
                                         "?api-version=2021-04-12");
  CO_TRY(std::string own, signature());
  request.headers.set("Authorization", std::move(own));
  request.timeout = std::chrono::seconds(15);
  CO_TRY(const auto answer, co_await client_.fetch(std::move(request), kAnswer));
  if (answer.status == 404)
    co_return fail(Code::not_found, "the hub knows no module '" + module + "' of " + device_);
  if (answer.status == 401 || answer.status == 403)
    co_return fail(Code::unauthenticated, "the hub does not take the key of the device " + device_);
  const std::string key = answer.status == 200 ? key_in(answer.body) : "";
  if (key.empty())
    co_return fail(Code::unavailable, "the hub gave no key of the module '" + module +
                                          "' (status " + std::to_string(answer.status) + ")");
  co_return wire::make_sas(wire::resource_of(hub_.name, {device_, module}), key,
                           clock_.now() + kLife);
}

}  // namespace holdfast::device
