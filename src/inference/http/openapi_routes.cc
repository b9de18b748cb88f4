// Azure ML's GET /swagger.json, and a document for each model.
#include <boost/json/serialize.hpp>

#include "inference/http/openapi.h"
#include "inference/http/service.h"

namespace holdfast::inference {
namespace {

using Answer = Task<Result<http::Response>>;

http::Response answer(const boost::json::object& document) {
  return http::Response(200, "application/json", boost::json::serialize(document));
}

Answer swagger(Repository& repository, http::Request& request, bool tokens) {
  CO_TRY(const OpenApi form, parse_openapi(request.query_value("version").value_or("2")));
  CO_TRY(std::string name, scored_model(repository, request));
  CO_TRY(const LoadedPtr loaded, co_await repository.acquire(std::move(name)));
  const bool named = request.query_value("model").has_value();
  co_return answer(score_document(form, {.loaded = *loaded, .named = named, .tokens = tokens}));
}

Answer openapi(Repository& repository, http::Request& request, bool tokens) {
  CO_TRY(const OpenApi form, parse_openapi(request.query_value("version").value_or("3.1")));
  CO_TRY(const LoadedPtr loaded, co_await demand_model(repository, request));
  const bool named = !request.param("version").empty();
  co_return answer(infer_document(form, {.loaded = *loaded, .named = named, .tokens = tokens}));
}

}  // namespace

void mount_openapi(http::Router& router, Repository& repository, const ServeOptions& options) {
  // Where nobody is asked for a token, nothing needs a role.
  const bool tokens = options.admin != http::Role::anonymous;
  router.add("GET", "/swagger.json", http::Role::anonymous,
             [&repository, tokens](http::Request& request) {
               return swagger(repository, request, tokens);
             });
  for (const char* base : {"/v2/models/{model}", "/v2/models/{model}/versions/{version}"})
    router.add("GET", std::string(base) + "/openapi.json", http::Role::anonymous,
               [&repository, tokens](http::Request& request) {
                 return openapi(repository, request, tokens);
               });
}

}  // namespace holdfast::inference
