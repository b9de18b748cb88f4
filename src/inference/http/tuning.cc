// Our own route for whoever has tuned a model: it is loaded once more, as it is tuned by now.
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "inference/http/service.h"

namespace holdfast::inference {
namespace {

using Answer = Task<Result<http::Response>>;

Answer retune(Repository& repository, http::Request& request) {
  const auto version = parse_u64(request.param("version"));
  if (!version || *version == 0 || *version > INT64_MAX)
    co_return fail(Code::invalid_argument, "a version is a number from 1");
  CO_TRY(const LoadedPtr loaded, co_await repository.retune(std::string(request.param("model")),
                                                            static_cast<int64_t>(*version)));
  boost::json::object out;
  out["name"] = loaded->name;
  out["version"] = std::to_string(loaded->version);
  out["platform"] = loaded->model->platform();
  out["lanes"] = loaded->queue.most_lanes;
  out["rows"] = loaded->queue.most_rows;
  co_return http::Response(200, "application/json", boost::json::serialize(out));
}

}  // namespace

void mount_tuning(http::Router& router, Repository& repository, const ServeOptions& options) {
  router.add("POST", "/api/v1/models/{model}/versions/{version}/retune", options.admin,
             [&](http::Request& request) { return retune(repository, request); });
}

}  // namespace holdfast::inference
