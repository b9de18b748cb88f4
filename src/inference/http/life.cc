// Our own routes over the life of a model's versions.
#include "inference/http/service.h"
#include "inference/input.h"

namespace holdfast::inference {
namespace {

using Answer = Task<Result<http::Response>>;

Answer release(Repository& repository, http::Request& request) {
  CO_TRY(const int64_t version, parse_version(request.param("version")));
  CO_TRY_VOID(co_await repository.release(std::string(request.param("model")), version));
  co_return http::Response(204);
}

}  // namespace

void mount_life(http::Router& router, Repository& repository, const ServeOptions& options) {
  router.add("DELETE", "/api/v1/models/{model}/versions/{version}/hold", options.admin,
             [&repository](http::Request& request) { return release(repository, request); });
}

}  // namespace holdfast::inference
