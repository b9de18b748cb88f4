#include "inference/http/openapi.h"

#include "inference/http/openapi_writer.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;

using Writer = OpenApiWriter;

constexpr Refusal kFound[] = {{400, "The version is not a number from 1"},
                              {404, "There is no such model or version"},
                              {503, "The model is not loaded"}};
constexpr Refusal kDocumented[] = {{404, "There is no such model, or no such form of a document"},
                                   {503, "The model is not loaded"}};
constexpr Refusal kRun[] = {
    {400, "The request is wrong: its names, datatypes, shapes, sizes or values"},
    {404, "There is no such model or version"},
    {408, "The body did not arrive in time"},
    {413, "The body has more than 64 MiB, also when it is decompressed"},
    {415, "A Content-Encoding other than gzip and deflate"},
    {429, "Too many requests wait"},
    {500, "The engine failed"},
    {501, "An output holds bytes that JSON cannot carry"},
    {503, "The model is not loaded"},
    {504, "The deadline has passed"}};

std::string about(const Loaded& loaded) {
  return "Version " + std::to_string(loaded.version) + ", " + loaded.digest + ", run by " +
         std::string(loaded.model->platform()) + ".";
}

json::object timeout_parameter(const Writer& writer) {
  return writer.parameter("header", "Holdfast-Timeout-Ms",
                          "What was not begun by then is answered 504",
                          {{"type", "integer"}, {"minimum", 1}});
}

json::object document_operation(const Writer& writer, const char* id, const char* otherwise,
                                json::array parameters) {
  parameters.push_back(
      writer.parameter("query", "version", "The form of the document",
                       {{"type", "string"}, {"enum", {"2", "3", "3.1"}}, {"default", otherwise}}));
  json::object out = writer.operation(id, "This document", std::move(parameters));
  out["responses"] =
      writer.answers("The document", "application/json", {{"type", "object"}}, kDocumented);
  return out;
}

json::object plain_object(json::object properties) {
  json::array required;
  for (const auto& [key, value] : properties) required.push_back(json::string(key));
  return {
      {"type", "object"}, {"required", std::move(required)}, {"properties", std::move(properties)}};
}

}  // namespace

Result<OpenApi> parse_openapi(std::string_view version) {
  if (version == "2" || version == "2.0") return OpenApi::v2_0;
  if (version == "3" || version == "3.0") return OpenApi::v3_0;
  if (version == "3.1") return OpenApi::v3_1;
  return fail(Code::not_found, "there is no version '" + std::string(version) +
                                   "' of the document; there are 2, 3 and 3.1");
}

json::object score_document(OpenApi form, const Described& of) {
  const Signature& signature = of.loaded.model->signature();
  const json::string name = clean_text(of.loaded.name);
  Writer writer(form, of);
  json::array which = {writer.parameter("query", "model", "Which; needed where there are several",
                                        {{"type", "string"}, {"enum", json::array{name}}},
                                        of.named)};
  json::object health = writer.operation("ServiceHealthCheck", "Whether the server is up");
  health["responses"] =
      writer.answers("Healthy", "text/plain", {{"type", "string"}}, {}, /*open=*/true);
  if (writer.old()) health["produces"] = json::array{"text/plain"};
  if (of.tokens) health["security"] = json::array();
  json::object paths;
  paths["/"] = {{"get", std::move(health)}};
  std::string description = about(of.loaded);
  if (scored(signature)) {
    json::object data = nested_schema(form, signature.inputs[0], Way::asked);
    data["description"] = "Rows, nested like the tensor's shape";
    json::object input = plain_object({{"data", std::move(data)}});
    writer.example(input, score_example(of.loaded));
    writer.schema("ServiceInput", std::move(input));
    writer.schema("ServiceOutput", outputs_schema(form, signature));
    json::array parameters = which;
    parameters.push_back(timeout_parameter(writer));
    json::object score = writer.operation("RunMLService", "Asks the model", std::move(parameters));
    writer.body(score, "ServiceInput", {});
    score["responses"] =
        writer.answers("Its answer", "application/json", writer.reference("ServiceOutput"), kRun);
    paths["/score"] = {{"post", std::move(score)}};
  } else {
    const std::string at = "/v2/models/" + percent_encode(of.loaded.name);
    description +=
        " /score takes models with one input that has rows and a JSON form; this one is "
        "asked at " +
        at + "/infer, which " + at + "/openapi.json describes.";
  }
  paths["/swagger.json"] = {
      {"get", document_operation(writer, "GetSwaggerSpec", "2", std::move(which))}};
  return writer.finish(name, description, std::move(paths));
}

json::object infer_document(OpenApi form, const Described& of) {
  const Loaded& loaded = of.loaded;
  const Signature& signature = loaded.accepts;
  Writer writer(form, of);
  json::object input = {{"type", "object"},
                        {"required", json::array{"inputs"}},
                        {"properties",
                         {{"id", {{"type", "string"}}},
                          {"inputs", tensors_schema(form, signature.inputs, Way::asked)},
                          {"outputs", {{"type", "array"}, {"items", {{"type", "object"}}}}},
                          {"parameters", {{"type", "object"}}}}}};
  writer.example(input, infer_example(loaded));
  writer.schema("InferRequest", std::move(input));
  writer.schema("InferResponse",
                {{"type", "object"},
                 {"required", {"model_name", "model_version", "outputs"}},
                 {"properties",
                  {{"model_name", {{"type", "string"}}},
                   {"model_version", {{"type", "string"}}},
                   {"id", {{"type", "string"}}},
                   {"parameters", {{"type", "object"}}},
                   {"outputs", tensors_schema(form, signature.outputs, Way::answered)}}}});
  const json::object text = {{"type", "string"}};
  const json::object list = {{"type", "array"}, {"items", {{"type", "object"}}}};
  writer.schema("Metadata", plain_object({{"name", text},
                                          {"versions", {{"type", "array"}, {"items", text}}},
                                          {"platform", text},
                                          {"inputs", list},
                                          {"outputs", list}}));
  writer.schema("Ready", plain_object({{"name", text}, {"ready", {{"type", "boolean"}}}}));

  json::object infer =
      writer.operation("infer", "Asks the model",
                       {writer.parameter("header", "Inference-Header-Content-Length",
                                         "Bytes of JSON before binary tensors; 0: a tensor alone",
                                         {{"type", "integer"}, {"minimum", 0}}),
                        timeout_parameter(writer)});
  json::array others = {"application/octet-stream"};
  if (loaded.pictures) {
    others.emplace_back("image/jpeg");
    others.emplace_back("image/png");
  }
  writer.body(infer, "InferRequest", others);
  json::object answers =
      writer.answers("Its answer; JSON and binary tensors where they were wanted",
                     "application/json", writer.reference("InferResponse"), kRun);
  if (writer.old())
    infer["produces"] = {"application/json", "application/octet-stream"};
  else
    answers["200"].as_object()["content"].as_object()["application/octet-stream"] = writer.bytes();
  infer["responses"] = std::move(answers);

  const auto get = [&](const char* id, const char* summary, std::string_view schema) {
    json::object operation = writer.operation(id, summary);
    operation["responses"] =
        writer.answers(summary, "application/json", writer.reference(schema), kFound);
    return json::object{{"get", std::move(operation)}};
  };
  std::string base = "/v2/models/" + percent_encode(loaded.name);
  if (of.named) base += "/versions/" + std::to_string(loaded.version);
  json::object paths;
  paths[base] = get("metadata", "What the model takes and answers", "Metadata");
  paths[base + "/ready"] = get("ready", "Whether it would answer", "Ready");
  paths[base + "/infer"] = {{"post", std::move(infer)}};
  paths[base + "/openapi.json"] = {{"get", document_operation(writer, "openapi", "3.1", {})}};
  return writer.finish(clean_text(loaded.name), about(loaded), std::move(paths));
}

}  // namespace holdfast::inference
