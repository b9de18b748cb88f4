#include "ml/http/wire.h"

#include <boost/json/serialize.hpp>

#include <cmath>
#include <cstdlib>

#include "base/exact_json.h"

namespace holdfast::ml {
namespace {

std::unexpected<Error> wrong(std::string_view name, std::string_view what) {
  return fail(Code::invalid_argument, "Invalid value for parameter '" + std::string(name) +
                                          "' supplied: it must be " + std::string(what) + ".");
}

std::unexpected<Error> missing(std::string_view name) {
  return fail(Code::invalid_argument, "Missing value for required parameter '" + std::string(name) +
                                          "'. See the API docs for more information about request "
                                          "parameters.");
}

Result<double> number_of(std::string_view name, const json::value& value) {
  if (value.is_number()) return value.to_number<double>();
  if (!value.is_string() || value.get_string().empty()) return wrong(name, "a number");
  const std::string text(value.get_string());
  char* end = nullptr;
  const double out = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size()) return wrong(name, "a number");
  return out;
}

struct Named {
  unsigned status;
  std::string_view code;
};

Named named(const Error& error) {
  switch (error.code()) {
    case Code::conflict:
      if (error.reason() == "exists") return {400, "RESOURCE_ALREADY_EXISTS"};
      return {409, "RESOURCE_CONFLICT"};
    case Code::not_found:
      if (error.reason() == "endpoint") return {404, "ENDPOINT_NOT_FOUND"};
      // The client tells a missing alias by this very code.
      if (error.reason() == "alias_not_found") return {400, "INVALID_PARAMETER_VALUE"};
      return {404, "RESOURCE_DOES_NOT_EXIST"};
    case Code::unauthenticated:
      return {401, "UNAUTHENTICATED"};
    case Code::denied:
      return {403, "PERMISSION_DENIED"};
    case Code::unsupported:
      return {405, "BAD_REQUEST"};
    case Code::too_large:
      return {413, "BAD_REQUEST"};
    case Code::timed_out:
      return {504, "DEADLINE_EXCEEDED"};
    case Code::unavailable:
    case Code::cancelled:
      return {503, "TEMPORARILY_UNAVAILABLE"};
    case Code::internal:
      return {500, "INTERNAL_ERROR"};
    default:
      return {400, "INVALID_PARAMETER_VALUE"};
  }
}

Result<void> admit(const Caller& caller, Need need) {
  if (caller.name.empty())
    return fail(Code::unauthenticated, "a token is needed: set MLFLOW_TRACKING_TOKEN");
  if (caller.writes()) return {};
  if (need == Need::read && (caller.role == "reader" || caller.role == kRunRole)) return {};
  if (need == Need::run && caller.role == kRunRole) return {};
  return fail(Code::denied, "the role '" + caller.role + "' is not enough for this");
}

}  // namespace

Task<Result<Args>> Args::of(http::Request& request, uint64_t limit) {
  json::object out;
  if (request.method == "GET") {
    for (const auto& [name, value] : request.query) {
      json::value& there = out[name];
      if (there.is_null())
        there = value;
      else if (there.is_array())
        there.get_array().emplace_back(value);
      else
        there = json::array{there, json::value(value)};
    }
    co_return Args(std::move(out));
  }
  CO_TRY(const std::string body, co_await read_all(*request.body, limit));
  if (trim(body).empty()) co_return Args(std::move(out));
  auto value = parse_json_exactly(body);
  if (!value || !value->is_object())
    co_return fail(Code::invalid_argument, "Malformed request: the body is no JSON object.");
  co_return Args(std::move(value->get_object()));
}

const json::value* Args::find(std::string_view name) const {
  const json::value* found = body_.if_contains(name);
  return found == nullptr || found->is_null() ? nullptr : found;
}

Result<std::string> Args::text_or(std::string_view name, std::string_view otherwise) const {
  const json::value* found = find(name);
  if (found == nullptr) return std::string(otherwise);
  if (found->is_string()) return std::string(found->get_string());
  if (found->is_int64() || found->is_uint64()) return json::serialize(*found);  // an id
  return wrong(name, "a text");
}

Result<std::string> Args::text(std::string_view name) const {
  TRY(std::string out, text_or(name));
  if (out.empty()) return missing(name);
  return out;
}

Result<double> Args::number(std::string_view name) const {
  const json::value* found = find(name);
  if (found == nullptr) return missing(name);
  return number_of(name, *found);
}

Result<int64_t> Args::integer_or(std::string_view name, int64_t otherwise) const {
  const json::value* found = find(name);
  if (found == nullptr) return otherwise;
  if (found->is_int64()) return found->get_int64();
  TRY(const double value, number_of(name, *found));
  if (!std::isfinite(value) || std::abs(value) >= 9.2e18) return wrong(name, "a whole number");
  return static_cast<int64_t>(value);
}

Result<int64_t> Args::integer(std::string_view name) const {
  if (find(name) == nullptr) return missing(name);
  return integer_or(name, 0);
}

Result<bool> Args::flag_or(std::string_view name, bool otherwise) const {
  const json::value* found = find(name);
  if (found == nullptr) return otherwise;
  if (found->is_bool()) return found->get_bool();
  if (found->is_string() && found->get_string() == "true") return true;
  if (found->is_string() && found->get_string() == "false") return false;
  return wrong(name, "true or false");
}

Result<std::vector<std::string>> Args::texts(std::string_view name) const {
  std::vector<std::string> out;
  const json::value* found = find(name);
  if (found == nullptr) return out;
  if (!found->is_array()) {  // a query's single value
    TRY(std::string one, text_or(name));
    out.push_back(std::move(one));
    return out;
  }
  for (const json::value& item : found->get_array()) {
    if (item.is_string())
      out.emplace_back(item.get_string());
    else if (item.is_int64())
      out.push_back(std::to_string(item.get_int64()));
    else
      return wrong(name, "a list of texts");
  }
  return out;
}

Result<std::vector<Args>> Args::list(std::string_view name) const {
  std::vector<Args> out;
  const json::value* found = find(name);
  if (found == nullptr) return out;
  if (!found->is_array()) return wrong(name, "a list");
  for (const json::value& item : found->get_array()) {
    if (!item.is_object()) return wrong(name, "a list of objects");
    out.push_back(Args(item.get_object()));
  }
  return out;
}

Result<Args> Args::object(std::string_view name) const {
  const json::value* found = find(name);
  if (found == nullptr) return Args(json::object());
  if (!found->is_object()) return wrong(name, "an object");
  return Args(found->get_object());
}

Result<Pairs> Args::pairs(std::string_view name) const {
  TRY(const std::vector<Args> items, list(name));
  Pairs out;
  for (const Args& item : items) {
    TRY(std::string key, item.text("key"));
    TRY(std::string value, item.text_or("value"));
    out.emplace_back(std::move(key), std::move(value));
  }
  return out;
}

http::Response answer(json::object body) {
  return http::Response(200, "application/json", json::serialize(body));
}

http::Response ml_error(const Error& error, const http::Request&) {
  const Named name = named(error);
  json::object out;
  out["error_code"] = name.code;
  out["message"] = error.message();
  http::Response response(name.status, "application/json", json::serialize(out));
  if (name.status == 401) response.header("WWW-Authenticate", "Bearer");
  if (name.status == 503) response.header("Retry-After", "1");
  return response;
}

json::array pairs_json(const Pairs& pairs) {
  json::array out;
  for (const auto& [key, value] : pairs) out.push_back({{"key", key}, {"value", value}});
  return out;
}

std::string artifact_uri(const std::string& root) {
  return "mlflow-artifacts:/" + root;
}

Result<int64_t> experiment_id(std::string_view text) {
  const auto id = parse_u64(text);
  if (!id || *id > INT64_MAX)
    return fail(Code::not_found, "No Experiment with id=" + std::string(text) + " exists");
  return static_cast<int64_t>(*id);
}

Result<Search> search_of(const Args& args, int64_t usual, int64_t most) {
  Search out;
  TRY(out.filter, args.text_or(args.has("filter") ? "filter" : "filter_string"));
  TRY(out.order_by, args.texts("order_by"));
  TRY(out.page_token, args.text_or("page_token"));
  TRY(const int64_t limit, args.integer_or("max_results", usual));
  if (limit < 1 || limit > most)
    return wrong("max_results", "a number from 1 to " + std::to_string(most));
  out.limit = static_cast<size_t>(limit);
  TRY(const std::string view, args.text_or(args.has("view_type") ? "view_type" : "run_view_type"));
  out.view = view == "DELETED_ONLY" || view == "2" ? View::deleted
             : view == "ALL" || view == "3"        ? View::all
                                                   : View::active;
  return out;
}

namespace {

// The first two are the route's and outlive every request.
Answer serve(const MlParts& parts, const http::Authenticator& authenticator, Need need,
             Handler handler, std::optional<uint64_t> body, http::Request& request) {
  CO_TRY(const http::Principal who, authenticator(request));
  const Caller caller{who.name, who.role};
  CO_TRY_VOID(admit(caller, need));
  Args args = Args::none();
  if (body) {
    CO_TRY(args, co_await Args::of(request, *body));
  }
  const Call call{parts, caller, args, request};
  co_return co_await handler(call);
}

}  // namespace

Result<void> may_write_run(const Caller& caller, std::string_view run) {
  if (caller.writes() || (!run.empty() && caller.run() == run)) return {};
  return fail(Code::denied, "this token is for the run " + caller.run() + " alone");
}

void Routes::add(std::string_view method, std::string_view path, Need need, Handler handler,
                 uint64_t body) {
  add_route(method, path, need, handler, body);
}

void Routes::add_stream(std::string_view method, std::string_view path, Need need,
                        Handler handler) {
  add_route(method, path, need, handler, std::nullopt);
}

void Routes::add_rest(std::string_view path) {
  const auto nothing = [](http::Request& request) -> Answer {
    co_return fail(Code::not_found, "endpoint", "No endpoint found for " + request.path);
  };
  for (const std::string_view prefix : {"/api/", "/ajax-api/"})
    router_.add("*", std::string(prefix) + std::string(path), http::Role::own, ml_error, nothing);
}

void Routes::add_route(std::string_view method, std::string_view path, Need need, Handler handler,
                       std::optional<uint64_t> body) {
  const auto handle = [parts = parts_, authenticator = authenticator_, need, handler,
                       body](http::Request& request) {
    return serve(parts, authenticator, need, handler, body, request);
  };
  for (const std::string_view prefix : {"/api/2.0", "/ajax-api/2.0"})
    router_.add(method, std::string(prefix) + std::string(path), http::Role::own, ml_error, handle);
}

}  // namespace holdfast::ml
