#include "registry/http/models.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace holdfast::registry {
namespace {

constexpr uint64_t kModelLimit = 16ull << 30;

struct Publishing {
  Publishing(ModelImages& images_, const Clock& clock_) : images(images_), clock(clock_) {}
  ModelImages& images;
  const Clock& clock;

  Task<Result<http::Response>> put(http::Request& request) const {
    oci::ModelDescription model;
    model.name = request.param("name");
    const auto version = parse_u64(request.param("version"));
    if (!version || *version > INT64_MAX)
      co_return fail(Code::invalid_argument, "a model version is a number from 1");
    model.version = static_cast<int64_t>(*version);
    for (const auto& [name, value] : request.query) {
      if (name != "run" && name != "data")
        co_return fail(Code::invalid_argument,
                       "unknown parameter '" + name + "'; run and data are known");
      (name == "run" ? model.run : model.data) = value;
    }
    model.created = format_rfc3339(clock.now(), 0);
    CO_TRY(const PublishedImage image, co_await images.publish(model, *request.body));
    boost::json::object layer;
    layer["digest"] = image.layer.digest.str();
    layer["size"] = image.layer.size;
    boost::json::object out;
    out["image"] = image.reference();
    out["repository"] = image.repository;
    out["version"] = model.version;
    out["digest"] = image.manifest.str();
    out["layer"] = std::move(layer);
    out["onnx"] = image.onnx.str();
    out["pushed"] = image.pushed;
    co_return http::Response(image.pushed > 0 ? 201 : 200, "application/json",
                             boost::json::serialize(out));
  }
};

}  // namespace

void mount_models(http::Router& router, ModelImages& images, const Clock& clock) {
  auto publishing = std::make_shared<Publishing>(images, clock);
  router.add("PUT", "/api/v1/registry/models/{name}/{version}", http::Role::operator_,
             [publishing](http::Request& request) { return publishing->put(request); });
  router.limit_bodies("/api/v1/registry/models", kModelLimit);
}

}  // namespace holdfast::registry
