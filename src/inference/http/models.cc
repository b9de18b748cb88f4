#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "inference/extensions.h"
#include "inference/http/service.h"
#include "inference/pipeline.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

http::Response answer(unsigned status, const json::value& value) {
  return http::Response(status, "application/json", json::serialize(value));
}

json::array tensors(const std::vector<TensorInfo>& infos, const char* type_key,
                    const char* shape_key, const char* prefix) {
  json::array out;
  for (const TensorInfo& info : infos) {
    json::object tensor;
    tensor["name"] = info.name;
    tensor[type_key] = std::string(prefix) + (info.type == Datatype::bytes && *prefix != 0
                                                  ? "STRING"
                                                  : std::string(to_string(info.type)));
    tensor[shape_key] = json::array(info.shape.begin(), info.shape.end());
    out.push_back(std::move(tensor));
  }
  return out;
}

json::object map_of(const PipelineSpec::Names& names) {
  json::object out;
  for (const auto& [port, tensor] : names) out[port] = tensor;
  return out;
}

// As Triton's configuration says it.
json::object scheduling_of(const PipelineSpec& spec) {
  json::array steps;
  for (const PipelineSpec::Step& step : spec.steps)
    steps.push_back(json::object{{"model_name", step.model},
                                 {"model_version", -1},
                                 {"input_map", map_of(step.inputs)},
                                 {"output_map", map_of(step.outputs)}});
  return {{"step", std::move(steps)}};
}

struct Models {
  Models(Repository& repository_, const ServeOptions& options_)
      : repository(repository_), options(options_) {}
  Repository& repository;
  ServeOptions options;

  Answer metadata(http::Request& request) {
    CO_TRY(const LoadedPtr loaded, co_await demand_model(repository, request));
    json::object out;
    out["name"] = loaded->name;
    json::array versions;
    for (int64_t version : repository.versions(loaded->name))
      versions.emplace_back(std::to_string(version));
    out["versions"] = std::move(versions);
    out["platform"] = loaded->model->platform();
    out["inputs"] = tensors(loaded->model->signature().inputs, "datatype", "shape", "");
    out["outputs"] = tensors(loaded->model->signature().outputs, "datatype", "shape", "");
    json::object parameters;
    parameters["model_digest"] = loaded->digest;
    if (!loaded->run.empty()) parameters["model_run"] = loaded->run;
    out["parameters"] = std::move(parameters);
    co_return answer(200, out);
  }
  Answer model_ready(http::Request& request) {
    // An evicted model answers when it is asked; a probe does not load it.
    const auto loaded = model_of(repository, request);
    if (!loaded && loaded.error().reason() != kEvictedReason)
      co_return std::unexpected(loaded.error());
    if (loaded && (*loaded)->pipeline) {
      const Repository& all = repository;
      const auto find = [&all](const std::string& model) { return all.find(model); };
      CO_TRY_VOID((*loaded)->pipeline->ready(find));
    }
    json::object out;
    out["name"] = request.param("model");
    out["ready"] = true;
    co_return answer(200, out);
  }
  Answer config(http::Request& request) {
    CO_TRY(const LoadedPtr loaded, co_await demand_model(repository, request));
    json::object out;
    out["name"] = loaded->name;
    out["platform"] = loaded->model->platform();
    const std::string_view platform = loaded->model->platform();
    out["backend"] = backend_of(platform);
    if (loaded->pipeline) out["ensemble_scheduling"] = scheduling_of(loaded->pipeline->spec());
    out["default_model_filename"] = "model.onnx";
    out["max_batch_size"] = 0;
    out["input"] = tensors(loaded->model->signature().inputs, "data_type", "dims", "TYPE_");
    out["output"] = tensors(loaded->model->signature().outputs, "data_type", "dims", "TYPE_");
    co_return answer(200, out);
  }
  static Result<json::object> object_in(const std::string& body) {
    if (body.empty()) return json::object();
    boost::system::error_code error;
    json::value value = json::parse(body, error);
    if (error || !value.is_object())
      return fail(Code::invalid_argument, "the body must be a JSON object");
    return std::move(value.as_object());
  }
  Answer index(http::Request& request) {
    CO_TRY(const std::string body, co_await read_all(*request.body, 64 << 10));
    CO_TRY(const json::object asked, object_in(body));
    const json::value* ready = asked.if_contains("ready");
    json::array rows;
    for (const Entry& entry : repository.list()) {
      if (ready != nullptr && *ready == true && entry.state != "READY") continue;
      json::object row;
      row["name"] = entry.name;
      row["version"] = std::to_string(entry.version);
      row["state"] = entry.state;
      row["reason"] = entry.reason;
      rows.push_back(std::move(row));
    }
    co_return answer(200, rows);
  }
  // Triton's load: from disk, or with a file that the request carries in base64.
  Answer load(http::Request& request) {
    CO_TRY(const std::string body, co_await read_all(*request.body, 64 << 20));
    std::string name(request.param("model"));
    CO_TRY(const json::object asked, object_in(body));
    const json::value* parameters = asked.if_contains("parameters");
    if (parameters != nullptr && parameters->is_object()) {
      for (const auto& [key, item] : parameters->as_object()) {
        const std::string_view file(key);
        if (!file.starts_with("file:")) continue;
        if (!options.uploads)
          co_return fail(Code::denied, "sending models in is switched off (uploads)");
        const auto parts = split(file.substr(5), '/');
        const auto version = parts.size() == 2 ? parse_u64(parts[0]) : std::nullopt;
        if (!version || parts[1] != "model.onnx" || !item.is_string())
          co_return fail(Code::invalid_argument,
                         "a file parameter is file:<version>/model.onnx with base64 text");
        CO_TRY(std::string bytes, from_base64(std::string_view(item.as_string())));
        MemorySource source(std::move(bytes));
        CO_TRY_VOID(co_await repository.put(name, static_cast<int64_t>(*version), source,
                                            options.max_model));
        co_return http::Response(200);
      }
    }
    CO_TRY_VOID(co_await repository.load(std::move(name)));
    co_return http::Response(200);
  }
  Answer unload(http::Request& request) {
    CO_TRY_VOID(co_await repository.unload(std::string(request.param("model"))));
    co_return http::Response(200);
  }
  static Result<int64_t> version_of(const http::Request& request) {
    const auto number = parse_u64(request.param("version"));
    if (!number || *number == 0 || *number > INT64_MAX)
      return fail(Code::invalid_argument, "a version is a number from 1");
    return static_cast<int64_t>(*number);
  }
  Answer put(http::Request& request) {
    if (!options.uploads)
      co_return fail(Code::denied, "sending models in is switched off (uploads)");
    CO_TRY(const int64_t version, version_of(request));
    Put how{.beside = request.query_value("stage") == "true",
            .run = std::string(request.query_value("run").value_or(""))};
    CO_TRY(const LoadedPtr loaded,
           co_await repository.put(std::string(request.param("model")), version, *request.body,
                                   options.max_model, std::move(how)));
    json::object out;
    out["name"] = loaded->name;
    out["version"] = std::to_string(loaded->version);
    out["digest"] = loaded->digest;
    co_return answer(201, out);
  }
  Answer remove(http::Request& request) {
    CO_TRY(const int64_t version, version_of(request));
    CO_TRY_VOID(co_await repository.remove(std::string(request.param("model")), version));
    co_return http::Response(204);
  }
  json::array listed() const {
    json::array rows;
    for (const Entry& entry : repository.list()) {
      json::object row;
      row["name"] = entry.name;
      row["version"] = std::to_string(entry.version);
      row["state"] = entry.state;
      row["current"] = entry.current;
      row["digest"] = entry.digest;
      if (!entry.reason.empty()) row["reason"] = entry.reason;
      rows.push_back(std::move(row));
    }
    return rows;
  }
  Answer list(http::Request&) {
    json::object out;
    out["models"] = listed();
    co_return answer(200, out);
  }
  Answer status(http::Request&) {
    json::object out;
    out["version"] = options.version;
    out["platform"] = options.platform;
    out["models"] = listed();
    co_return answer(200, out);
  }
  Answer server(http::Request&) {
    json::object out;
    out["name"] = "holdfast-serve";
    out["version"] = options.version;
    out["extensions"] = json::array(kExtensions.begin(), kExtensions.end());
    // Bytes, so that a client need not find out by 413 and 503.
    out["limits"] = json::object{{"request_bytes", kMostBody},
                                 {"all_requests_bytes", options.bodies->most()},
                                 {"model_bytes", options.max_model}};
    co_return answer(200, out);
  }
  Answer ready(http::Request&) {
    const std::string why = repository.unready();
    json::object out;
    out["ready"] = why.empty();
    if (!why.empty()) out["reason"] = why;
    co_return answer(why.empty() ? 200 : 503, out);
  }
};

}  // namespace

void mount_models(http::Router& router, Repository& repository, const ServeOptions& options) {
  using http::Role;
  auto models = std::make_shared<Models>(repository, options);
  const auto add = [&](std::string_view method, std::string_view pattern, Role role,
                       Answer (Models::*handler)(http::Request&)) {
    router.add(method, pattern, role,
               [models, handler](http::Request& request) { return ((*models).*handler)(request); });
  };
  const auto live = [](http::Request&) -> Answer {
    co_return http::Response(200, "application/json", R"({"live":true})");
  };
  router.add("GET", "/v2/health/live", Role::anonymous, live);
  router.add("GET", "/healthz", Role::anonymous, [](http::Request&) -> Answer {
    co_return http::Response(200, "application/json", R"({"status":"ok"})");
  });
  add("GET", "/v2", Role::anonymous, &Models::server);
  add("GET", "/v2/health/ready", Role::anonymous, &Models::ready);
  for (const char* base : {"/v2/models/{model}", "/v2/models/{model}/versions/{version}"}) {
    add("GET", base, Role::anonymous, &Models::metadata);
    add("GET", std::string(base) + "/ready", Role::anonymous, &Models::model_ready);
    add("GET", std::string(base) + "/config", Role::anonymous, &Models::config);
  }
  add("POST", "/v2/repository/index", Role::anonymous, &Models::index);
  add("POST", "/v2/repository/models/{model}/load", options.admin, &Models::load);
  add("POST", "/v2/repository/models/{model}/unload", options.admin, &Models::unload);
  add("GET", "/api/v1/models", Role::anonymous, &Models::list);
  add("GET", "/api/v1/status", Role::anonymous, &Models::status);
  add("PUT", "/api/v1/models/{model}/versions/{version}", options.admin, &Models::put);
  add("DELETE", "/api/v1/models/{model}/versions/{version}", options.admin, &Models::remove);
}

}  // namespace holdfast::inference
