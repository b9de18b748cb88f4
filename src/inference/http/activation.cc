// Our own routes for whoever levels a device's models to a deployment.
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "inference/http/service.h"

namespace holdfast::inference {
namespace {

using Answer = Task<Result<http::Response>>;

Answer activate(Repository& repository, http::Request& request) {
  const auto version = parse_u64(request.param("version"));
  if (!version || *version == 0 || *version > INT64_MAX)
    co_return fail(Code::invalid_argument, "a version is a number from 1");
  CO_TRY(const LoadedPtr loaded, co_await repository.activate(std::string(request.param("model")),
                                                              static_cast<int64_t>(*version)));
  boost::json::object out;
  out["name"] = loaded->name;
  out["version"] = std::to_string(loaded->version);
  out["digest"] = loaded->digest;
  co_return http::Response(200, "application/json", boost::json::serialize(out));
}

Answer remove_all(Repository& repository, http::Request& request) {
  CO_TRY_VOID(co_await repository.remove_all(std::string(request.param("model"))));
  co_return http::Response(204);
}

}  // namespace

void mount_activation(http::Router& router, Repository& repository, const ServeOptions& options) {
  router.add("POST", "/api/v1/models/{model}/versions/{version}/activate", options.admin,
             [&](http::Request& request) { return activate(repository, request); });
  router.add("DELETE", "/api/v1/models/{model}", options.admin,
             [&](http::Request& request) { return remove_all(repository, request); });
}

}  // namespace holdfast::inference
