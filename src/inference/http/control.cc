// Triton's logging and trace extensions.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "inference/http/service.h"
#include "inference/settings.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

Result<json::object> object_in(const std::string& body) {
  if (body.empty()) return json::object();
  boost::system::error_code error;
  json::value value = json::parse(body, error);
  if (error || !value.is_object())
    return fail(Code::invalid_argument, "the body must be a JSON object");
  return std::move(value.as_object());
}

http::Response log_answer() {
  const LogSettings now = log_settings();
  json::object out;
  out["log_file"] = "";
  out["log_info"] = now.info;
  out["log_warning"] = now.warning;
  out["log_error"] = now.error;
  out["log_verbose_level"] = now.verbose;
  out["log_format"] = kLogFormat;
  return http::Response(200, "application/json", json::serialize(out));
}

Answer set_logging(http::Request& request) {
  CO_TRY(const std::string body, co_await read_all(*request.body, 64 << 10));
  CO_TRY(const json::object asked, object_in(body));
  LogSettings settings = log_settings();
  for (const auto& [key, value] : asked) {
    if (value.is_bool()) {
      CO_TRY_VOID(change_flag(settings, key, value.as_bool()));
    } else if (value.is_int64()) {
      CO_TRY_VOID(change_number(settings, key, value.as_int64()));
    } else if (value.is_string()) {
      CO_TRY_VOID(change_text(key, value.as_string()));
    } else {
      co_return fail(Code::invalid_argument,
                     "the log setting '" + std::string(key) + "' is no flag, number or text");
    }
  }
  if (!asked.empty()) CO_TRY_VOID(set_log_settings(settings));
  co_return log_answer();
}

http::Response trace_answer(const TraceOptions* traces) {
  json::object out;
  for (const auto& [key, values] : trace_settings(traces)) {
    // The level alone is a list.
    if (key == "trace_level")
      out[key] = json::array(values.begin(), values.end());
    else
      out[key] = values.front();
  }
  return http::Response(200, "application/json", json::serialize(out));
}

Answer trace(Repository& repository, const TraceOptions* traces, http::Request& request) {
  if (const auto name = request.param("model"); !name.empty()) CO_TRY_VOID(repository.find(name));
  CO_TRY(const std::string body, co_await read_all(*request.body, 64 << 10));
  CO_TRY(const json::object asked, object_in(body));
  for (const auto& [key, value] : asked) {
    std::vector<std::string> values;  // null: the default
    const json::array one = {value};
    if (!value.is_null()) {
      for (const json::value& item : value.is_array() ? value.as_array() : one)
        values.push_back(item.is_string() ? std::string(item.as_string()) : json::serialize(item));
    }
    CO_TRY_VOID(change_trace(traces, key, values));
  }
  co_return trace_answer(traces);
}

}  // namespace

void mount_control(http::Router& router, Repository& repository, const ServeOptions& options) {
  using http::Role;
  router.add("GET", "/v2/logging", Role::anonymous,
             [](http::Request&) -> Answer { co_return log_answer(); });
  router.add("POST", "/v2/logging", options.admin,
             [](http::Request& request) { return set_logging(request); });
  for (const char* path : {"/v2/trace/setting", "/v2/models/{model}/trace/setting"}) {
    const TraceOptions* traces = options.tracer ? &options.tracer->options() : nullptr;
    const auto handler = [&repository, traces](http::Request& request) {
      return trace(repository, traces, request);
    };
    router.add("GET", path, Role::anonymous, handler);
    router.add("POST", path, options.admin, handler);
  }
}

}  // namespace holdfast::inference
