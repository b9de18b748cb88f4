#include "api.h"

#include <boost/json.hpp>

namespace holdfast {
namespace {

namespace json = boost::json;

// What one of our own routes answers: the status has the same form as the single documents.
Task<Result<json::object>> own_document(const http::Router& router, std::string path) {
  http::Request request;
  request.method = "GET";
  request.target = request.path = std::move(path);
  request.body = std::make_unique<MemorySource>("");
  const http::Response response = co_await router.handle(request);
  const auto* text = std::get_if<std::string>(&response.body);
  if (response.status != 200 || !text)
    co_return fail(Code::unavailable, request.path + " can not be read now");
  boost::system::error_code error;
  json::value value = json::parse(*text, error);
  if (error || !value.is_object())
    co_return fail(Code::internal, request.path + " is not an object");
  co_return std::move(value.as_object());
}

json::object serve_json(const Serve& serve) {
  const supervisor::Status status = serve.status();
  json::object out{{"address", serve.address()}, {"managed", serve.managed()}};
  if (serve.managed()) {
    out["state"] = supervisor::to_string(status.state);
    out["pid"] = status.pid;
    out["restarts"] = status.restarts;
    out["last_exit"] = status.last_exit;
  }
  return out;
}

Task<Result<json::object>> whole_status(const http::Router& router, const EdgeView& view) {
  json::object out{{"device", view.device},
                   {"version", view.version},
                   {"started", format_rfc3339(view.started)}};
  constexpr std::pair<const char*, const char*> kParts[] = {{"shares", "shares"},
                                                            {"uplink", "shares"},
                                                            {"transforms", "transforms"},
                                                            {"answers", "answers"}};
  for (const auto& [part, list] : kParts) {
    CO_TRY(json::object document, co_await own_document(router, std::string("/api/v1/") + part));
    out[part] = document[list];
  }
  out["serve"] = serve_json(*view.serve);
  co_return out;
}

Task<Result<http::Response>> get_status(const http::Router& router, const EdgeView& view) {
  CO_TRY(const json::object status, co_await whole_status(router, view));
  co_return http::Response(200, "application/json", json::serialize(status));
}

// Every number of the items of a list, as holdfast_<part>_<key>{name="…"}.
void add_metrics(std::string& text, std::string_view part, const json::value& list) {
  if (!list.is_array()) return;
  for (const json::value& item : list.as_array()) {
    if (!item.is_object() || !item.as_object().contains("name")) continue;
    const std::string label = "{name=" + json::serialize(item.at("name")) + "} ";
    const auto line = [&](std::string_view key, const json::value& value) {
      if (value.is_number())
        text += "holdfast_" + std::string(part) + "_" + std::string(key) + label +
                json::serialize(value) + "\n";
    };
    for (const auto& [key, value] : item.as_object()) {
      line(key, value);
      if (!value.is_object()) continue;
      for (const auto& [inner, number] : value.as_object())
        line(std::string(key) + "_" + std::string(inner), number);
    }
  }
}

Task<Result<http::Response>> get_metrics(const http::Router& router, const EdgeView& view) {
  CO_TRY(const json::object status, co_await whole_status(router, view));
  std::string text = "holdfast_up 1\n";
  for (const char* part : {"uplink", "transforms", "answers"})
    add_metrics(text, part, status.at(part));
  if (view.serve->managed()) {
    const supervisor::Status serve = view.serve->status();
    text += "holdfast_serve_running " +
            std::string(serve.state == supervisor::State::running ? "1" : "0") + "\n";
    text += "holdfast_serve_restarts " + std::to_string(serve.restarts) + "\n";
  }
  co_return http::Response(200, "text/plain; version=0.0.4", std::move(text));
}

// The named fields of `from` that are there.
json::object fields(const json::object& from, std::initializer_list<std::string_view> names) {
  json::object out;
  for (const std::string_view name : names)
    if (const json::value* value = from.if_contains(name)) out[name] = *value;
  return out;
}

constexpr size_t kText = 200;  // bytes of a file's name in a summary

json::object last_answer(const json::object& flow) {
  const json::value* last = flow.if_contains("last");
  if (last == nullptr || !last->is_array() || last->get_array().empty()) return {};
  const json::value& line = last->get_array().back();
  if (!line.is_object()) return {};
  json::object out = fields(line.get_object(), {"file", "answered", "model", "model_version"});
  if (json::value* file = out.if_contains("file"); file != nullptr && file->is_string())
    *file = std::string(file->get_string()).substr(0, kText);
  const json::value* outputs = line.get_object().if_contains("outputs");
  if (outputs == nullptr || !outputs->is_object()) return out;
  for (const auto& [name, value] : outputs->get_object())  // the answer itself, where it is short
    if (!value.is_structured()) out["says"] = value;
  return out;
}

Task<Result<http::Response>> get_health() {
  co_return http::Response(200, "application/json", R"({"status":"ok"})");
}

}  // namespace

Task<Result<json::object>> edge_summary(const http::Router& router, const EdgeView& view) {
  CO_TRY(const json::object status, co_await whole_status(router, view));
  json::object files, queues, out;
  for (const json::value& one : status.at("transforms").as_array()) {
    const json::object& transform = one.as_object();
    files[transform.at("name").as_string()] =
        fields(transform, {"share", "state", "pending", "done", "set_aside"});
  }
  for (const json::value& one : status.at("answers").as_array()) {
    const json::object& flow = one.as_object();
    json::value* at = files.if_contains(flow.at("transform").as_string());
    if (at == nullptr) continue;
    if (json::object last = last_answer(flow); !last.empty())
      at->as_object()["last"] = std::move(last);
  }
  for (const json::value& one : status.at("uplink").as_array()) {
    const json::object& share = one.as_object();
    queues[share.at("share").as_string()] =
        fields(share, {"pending_files", "pending_bytes", "uploaded_files", "failed_files"});
  }
  out["files"] = std::move(files);
  out["queues"] = std::move(queues);
  co_return out;
}

void mount_edge(http::Router& router, const EdgeView& view) {
  router.add("GET", "/healthz", http::Role::anonymous, [](http::Request&) { return get_health(); });
  router.add("GET", "/api/v1/status", http::Role::anonymous,
             [&](http::Request&) { return get_status(router, view); });
  router.add("GET", "/metrics", http::Role::anonymous,
             [&](http::Request&) { return get_metrics(router, view); });
}

}  // namespace holdfast
