#include "training/http/api.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace holdfast::training {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

constexpr uint64_t kBody = 512 << 10;

http::Response answer(unsigned status, const json::value& value) {
  return http::Response(status, "application/json", json::serialize(value));
}

json::object list(std::string_view name, json::array rows) {
  json::object out;
  out[name] = std::move(rows);
  return out;
}

std::string millis(int64_t time) {
  return time == 0 ? "" : format_rfc3339(WallTime(std::chrono::milliseconds(time)));
}

json::object describe(const ml::ModelVersion& version) {
  json::object out, tags;
  for (const auto& [key, value] : version.tags) tags[key] = value;
  json::array aliases;
  for (const std::string& alias : version.aliases) aliases.emplace_back(alias);
  out["name"] = version.model;
  out["version"] = std::to_string(version.number);
  out["created"] = millis(version.created_ms);
  out["aliases"] = std::move(aliases);
  out["run"] = version.run;
  out["source"] = version.source;
  out["tags"] = std::move(tags);
  return out;
}

json::object describe(const BuiltImage& image) {
  json::object out;
  out["reference"] = image.reference;
  out["digest"] = image.manifest;
  out["layer"] = image.layer;
  out["layer_bytes"] = image.layer_size;
  out["pushed_bytes"] = image.pushed;
  out["model_digest"] = image.onnx;
  out["error"] = image.error;
  out["built"] = format_rfc3339(image.built);
  return out;
}

json::object describe(const ml::Run& run) {
  json::object out, params, metrics;
  for (const auto& [key, value] : run.params) params[key] = value;
  for (const ml::Metric& metric : run.metrics) metrics[metric.key] = metric.value;
  out["id"] = run.id;
  out["name"] = run.name;
  out["status"] = ml::to_string(run.status);
  out["started"] = millis(run.started_ms);
  out["ended"] = millis(run.ended_ms);
  out["params"] = std::move(params);
  out["metrics"] = std::move(metrics);
  return out;
}

json::object describe(const Trace::Data& data) {
  json::object out;
  out["input"] = data.input.input;
  out[data.input.model ? "model" : "asset"] = data.input.asset;
  out["version"] = std::to_string(data.input.version);
  out["digest"] = data.input.digest;
  if (!data.version) return out;
  out["files"] = data.version->files;
  out["bytes"] = data.version->bytes;
  out["account"] = data.version->source.account;
  out["container"] = data.version->source.container;
  out["prefix"] = data.version->source.prefix;
  return out;
}

json::object describe(const Trace& trace) {
  json::object out = describe(trace.version);
  out["image"] = trace.image ? json::value(describe(*trace.image)) : json::value(nullptr);
  out["run"] = trace.run ? json::value(describe(*trace.run)) : json::value(nullptr);
  out["job"] = trace.job ? json::value(trace.job->name) : json::value(nullptr);
  out["code"] = trace.job ? json::value(trace.job->code) : json::value(nullptr);
  json::array data;
  for (const Trace::Data& one : trace.data) data.push_back(describe(one));
  out["data"] = std::move(data);
  return out;
}

json::object describe(const Trigger& trigger) {
  json::object out;
  out["name"] = trigger.spec.name;
  out["description"] = trigger.spec.description;
  const auto& data = trigger.spec.data;
  out["type"] = !data ? "model" : data->drifting.empty() ? "data" : "drift";
  out["watches"] = data ? data->account + "/" + data->watched() + "/" + data->below() + data->when
                        : trigger.spec.model;
  out["created"] = format_rfc3339(trigger.created);
  out["yaml"] = trigger.yaml;
  out["job"] = trigger.job;
  out["code"] = trigger.code;
  return out;
}

json::object describe(const Firing& firing) {
  json::object out;
  out["id"] = firing.id;
  out["trigger"] = firing.trigger;
  out["subject"] = firing.subject;
  out["version"] = std::to_string(firing.version);
  out["state"] = to_string(firing.state);
  out["job"] = firing.job;
  boost::system::error_code error;
  json::value verdict = json::parse(firing.verdict, error);
  out["verdict"] = error ? json::value(nullptr) : std::move(verdict);
  out["reason"] = firing.error;
  out["created"] = format_rfc3339(firing.created);
  out["updated"] = format_rfc3339(firing.updated);
  return out;
}

struct Wanted {
  std::string yaml, job, code;
};

Result<Wanted> parse_wanted(const std::string& body) {
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  if (error || !value.is_object())
    return fail(Code::invalid_argument,
                R"(the body must be like {"yaml":"name: …","job":"command: …","code":"<id>"})");
  Wanted out;
  for (const auto& [key, item] : value.as_object()) {
    std::string* into = key == "yaml"   ? &out.yaml
                        : key == "job"  ? &out.job
                        : key == "code" ? &out.code
                                        : nullptr;
    if (into == nullptr)
      return fail(Code::invalid_argument,
                  "unknown field '" + std::string(key) + "'; yaml, job and code are known");
    if (!item.is_string())
      return fail(Code::invalid_argument, "the field '" + std::string(key) + "' must be a text");
    *into = std::string(item.as_string());
  }
  if (out.yaml.empty()) return fail(Code::invalid_argument, "the field 'yaml' is required");
  return out;
}

Result<size_t> limit_of(const http::Request& request) {
  const auto limit = parse_u64(request.query_value("limit").value_or("100"));
  if (!limit || *limit == 0 || *limit > 1000)
    return fail(Code::invalid_argument, "limit must be a number from 1 to 1000");
  return static_cast<size_t>(*limit);
}

struct Api {
  Api(TraceParts parts_, Triggers& triggers_) : parts(parts_), triggers(triggers_) {}
  const TraceParts parts;
  Triggers& triggers;

  Task<Result<ml::ModelVersion>> version_of(std::string name, std::string text) {
    if (text.starts_with('@'))
      co_return co_await parts.models->version_by_alias(name, text.substr(1));
    if (text == "latest") {
      CO_TRY(auto newest, co_await parts.models->versions(name, 1));
      if (newest.empty())
        co_return fail(Code::not_found, "the model '" + name + "' has no version yet");
      co_return std::move(newest.front());
    }
    const auto number = parse_u64(text);
    if (!number || *number == 0 || *number > INT64_MAX)
      co_return fail(Code::invalid_argument,
                     "'" + text + "' is no version: a number from 1, latest or @ALIAS");
    co_return co_await parts.models->version(name, static_cast<int64_t>(*number));
  }

  Answer models(http::Request&) {
    ml::Search search;
    json::array rows;
    do {
      CO_TRY(auto page, co_await parts.models->search(search));
      for (const ml::RegisteredModel& model : page.items) {
        CO_TRY(const auto newest, co_await parts.models->versions(model.name, 1));
        json::object row;
        if (newest.empty())
          row["name"] = model.name;
        else
          row = describe(newest.front());
        json::object aliases;
        for (const auto& [alias, number] : model.aliases) aliases[alias] = number;
        row["aliases"] = std::move(aliases);
        rows.push_back(std::move(row));
      }
      search.page_token = std::move(page.next);
    } while (!search.page_token.empty());
    co_return answer(200, list("models", std::move(rows)));
  }
  Answer versions(http::Request& request) {
    CO_TRY(const size_t limit, limit_of(request));
    const std::string name(request.param("name"));
    CO_TRY_VOID(co_await parts.models->model(name));
    CO_TRY(const auto found, co_await parts.models->versions(name, limit));
    json::array rows;
    for (const ml::ModelVersion& version : found) {
      json::object row = describe(version);
      CO_TRY(const auto image, co_await parts.builds->find(name, version.number));
      row["image"] = image ? json::value(describe(*image)) : json::value(nullptr);
      rows.push_back(std::move(row));
    }
    co_return answer(200, list("versions", std::move(rows)));
  }
  Answer version(http::Request& request) {
    CO_TRY(auto found, co_await version_of(std::string(request.param("name")),
                                           std::string(request.param("version"))));
    CO_TRY(const Trace trace, co_await trace_version(parts, std::move(found)));
    co_return answer(200, describe(trace));
  }
  Answer digest(http::Request& request) {
    CO_TRY(const Trace trace, co_await trace_digest(parts, std::string(request.param("digest"))));
    co_return answer(200, describe(trace));
  }

  Answer triggers_list(http::Request&) {
    CO_TRY(const auto found, co_await triggers.list());
    json::array rows;
    for (const Trigger& trigger : found) rows.push_back(describe(trigger));
    co_return answer(200, list("triggers", std::move(rows)));
  }
  Answer put(http::Request& request) {
    CO_TRY(const std::string body, co_await read_all(*request.body, kBody));
    CO_TRY(Wanted wanted, parse_wanted(body));
    CO_TRY(const Trigger made, co_await triggers.put(std::move(wanted.yaml), std::move(wanted.job),
                                                     std::move(wanted.code)));
    co_return answer(200, describe(made));
  }
  Answer show(http::Request& request) {
    CO_TRY(const Trigger found, co_await triggers.find(std::string(request.param("name"))));
    co_return answer(200, describe(found));
  }
  Answer remove(http::Request& request) {
    CO_TRY_VOID(co_await triggers.remove(std::string(request.param("name"))));
    co_return http::Response(204);
  }
  Answer run(http::Request& request) {
    CO_TRY(const Firing made, co_await triggers.fire(std::string(request.param("name"))));
    co_return answer(202, describe(made));
  }
  Answer firings(http::Request& request) {
    CO_TRY(const size_t limit, limit_of(request));
    CO_TRY(const auto found, co_await triggers.firings(
                                 std::string(request.query_value("trigger").value_or("")), limit));
    json::array rows;
    for (const Firing& firing : found) rows.push_back(describe(firing));
    co_return answer(200, list("firings", std::move(rows)));
  }
};

}  // namespace

void mount(http::Router& router, TraceParts parts, Triggers& triggers) {
  using http::Role;
  auto api = std::make_shared<Api>(parts, triggers);
  const auto add = [&](std::string_view method, std::string_view pattern, Role role,
                       Answer (Api::*handler)(http::Request&)) {
    router.add(method, pattern, role,
               [api, handler](http::Request& request) { return ((*api).*handler)(request); });
  };
  add("GET", "/api/v1/models", Role::reader, &Api::models);
  add("GET", "/api/v1/models/{name}", Role::reader, &Api::versions);
  add("GET", "/api/v1/models/{name}/versions/{version}", Role::reader, &Api::version);
  add("GET", "/api/v1/trace/{digest}", Role::reader, &Api::digest);
  add("GET", "/api/v1/triggers", Role::reader, &Api::triggers_list);
  add("PUT", "/api/v1/triggers", Role::operator_, &Api::put);
  add("GET", "/api/v1/triggers/{name}", Role::reader, &Api::show);
  add("DELETE", "/api/v1/triggers/{name}", Role::operator_, &Api::remove);
  add("POST", "/api/v1/triggers/{name}/run", Role::operator_, &Api::run);
  add("GET", "/api/v1/firings", Role::reader, &Api::firings);
}

}  // namespace holdfast::training
