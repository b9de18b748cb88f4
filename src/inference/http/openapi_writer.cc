#include "inference/http/openapi_writer.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;

constexpr Refusal kRefused[] = {{401, "A bearer token is needed"},
                                {403, "The token has no role that counts here"}};

}  // namespace

OpenApiWriter::OpenApiWriter(OpenApi form, const Described& of) : form_(form), of_(of) {
  schemas_["ErrorResponse"] = {{"type", "object"},
                               {"required", json::array{"error"}},
                               {"properties", {{"error", {{"type", "string"}}}}}};
}

OpenApiWriter::Object OpenApiWriter::reference(std::string_view schema) const {
  const std::string_view at = old() ? "#/definitions/" : "#/components/schemas/";
  return {{"$ref", std::string(at) + std::string(schema)}};
}

void OpenApiWriter::example(Object& schema, std::optional<Object> value) const {
  if (!value) {
    schema["description"] = "Without an example: none is known that is small and works";
  } else if (form_ == OpenApi::v3_1) {
    schema["examples"] = json::array{std::move(*value)};
  } else {
    schema["example"] = std::move(*value);
  }
}

OpenApiWriter::Object OpenApiWriter::parameter(const char* in, const char* name,
                                               const char* description, Object schema,
                                               bool required) const {
  json::object out = {{"name", name}, {"in", in}, {"description", description}};
  out["required"] = required;
  if (old())
    for (auto& [key, value] : schema) out[key] = std::move(value);
  else
    out["schema"] = std::move(schema);
  return out;
}

OpenApiWriter::Object OpenApiWriter::operation(const char* id, const char* summary,
                                               Array parameters) const {
  json::object out = {{"operationId", id}, {"summary", summary}};
  if (!parameters.empty()) out["parameters"] = std::move(parameters);
  return out;
}

void OpenApiWriter::body(Object& operation, std::string_view schema, const Array& others) const {
  if (old()) {
    json::array types = {"application/json"};
    types.insert(types.end(), others.begin(), others.end());
    operation["consumes"] = std::move(types);
    auto& parameters = operation["parameters"];
    if (!parameters.is_array()) parameters = json::array();
    parameters.as_array().push_back(json::object{
        {"name", "body"}, {"in", "body"}, {"required", true}, {"schema", reference(schema)}});
    return;
  }
  json::object content = {{"application/json", {{"schema", reference(schema)}}}};
  for (const json::value& type : others) content[type.as_string()] = bytes();
  operation["requestBody"] = {{"required", true}, {"content", std::move(content)}};
}

OpenApiWriter::Object OpenApiWriter::answers(const char* description, const char* type,
                                             Object schema, std::span<const Refusal> failures,
                                             bool open) const {
  json::object out;
  out["200"] = response(description, type, std::move(schema));
  if (of_.tokens && !open) fail_with(out, kRefused);
  fail_with(out, failures);
  return out;
}

OpenApiWriter::Object OpenApiWriter::bytes() const {
  if (form_ == OpenApi::v3_1) return {};
  return {{"schema", {{"type", "string"}, {"format", "binary"}}}};
}

OpenApiWriter::Object OpenApiWriter::response(const char* description, const char* type,
                                              Object schema) const {
  json::object out = {{"description", description}};
  if (old())
    out["schema"] = std::move(schema);
  else
    out["content"] = {{type, {{"schema", std::move(schema)}}}};
  return out;
}

void OpenApiWriter::header(Object& response, const char* name, Object schema) const {
  if (!old()) schema = {{"schema", std::move(schema)}};
  response["headers"] = {{name, std::move(schema)}};
}

void OpenApiWriter::fail_with(Object& out, std::span<const Refusal> failures) const {
  for (const Refusal& failure : failures) {
    auto one = response(failure.why, "application/json", reference("ErrorResponse"));
    if (failure.status == 401) header(one, "WWW-Authenticate", {{"type", "string"}});
    if (failure.status == 429 || failure.status == 503)
      header(one, "Retry-After", {{"type", "integer"}});  // seconds
    out[std::to_string(failure.status)] = std::move(one);
  }
}

OpenApiWriter::Object OpenApiWriter::finish(const json::string& title, std::string_view description,
                                            Object paths) {
  json::object out = {{old() ? "swagger" : "openapi",
                       old() ? "2.0" : (form_ == OpenApi::v3_0 ? "3.0.3" : "3.1.0")}};
  out["info"] = {{"title", title},
                 {"version", std::to_string(of_.loaded.version)},
                 {"description", description}};
  if (old()) {
    out["consumes"] = json::array{"application/json"};
    out["produces"] = json::array{"application/json"};
    out["definitions"] = std::move(schemas_);
  }
  json::object components;
  if (!old()) components["schemas"] = std::move(schemas_);
  if (of_.tokens) {
    out["security"] = json::array{json::object{{"Bearer", json::array()}}};
    if (old())
      out["securityDefinitions"] = {{"Bearer",
                                     {{"type", "apiKey"},
                                      {"in", "header"},
                                      {"name", "Authorization"},
                                      {"description", "Bearer TOKEN"}}}};
    else
      components["securitySchemes"] = {{"Bearer", {{"type", "http"}, {"scheme", "bearer"}}}};
  }
  if (!old()) out["components"] = std::move(components);
  out["paths"] = std::move(paths);
  return out;
}

}  // namespace holdfast::inference
