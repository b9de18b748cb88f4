#include "net/http/router.h"

#include <boost/asio/error.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"

namespace holdfast::http {
namespace {

struct Segment {
  enum Kind { literal, one, rest } kind;
  std::string text;
};

std::vector<Segment> segments_of(std::string_view pattern) {
  std::vector<Segment> segments;
  pattern.remove_prefix(1);
  for (std::string_view part : split(pattern, '/')) {
    if (part.starts_with('{') && part.ends_with("...}")) {
      segments.push_back({Segment::rest, std::string(part.substr(1, part.size() - 5))});
    } else if (part.starts_with('{') && part.ends_with('}')) {
      segments.push_back({Segment::one, std::string(part.substr(1, part.size() - 2))});
    } else {
      segments.push_back({Segment::literal, std::string(part)});
    }
  }
  return segments;
}

using Params = std::vector<std::pair<std::string_view, std::string_view>>;

// Fills the raw parameters; false where the path is not of this pattern.
bool matches(const std::vector<Segment>& segments, std::string_view path, Params& params) {
  params.clear();
  path.remove_prefix(1);
  for (size_t i = 0;; ++i) {
    if (i == segments.size()) return false;
    const Segment& segment = segments[i];
    if (segment.kind == Segment::rest) {
      params.emplace_back(segment.text, path);
      return true;
    }
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (segment.kind == Segment::literal ? part != segment.text : part.empty()) return false;
    if (segment.kind == Segment::one) params.emplace_back(segment.text, part);
    if (slash == std::string_view::npos) return i + 1 == segments.size();
    path.remove_prefix(slash + 1);
  }
}

int strength(std::string_view role) {
  if (role == "admin") return 3;
  if (role == "operator") return 2;
  if (role == "reader") return 1;
  return 0;
}

int needed(Role role) {
  switch (role) {
    case Role::admin:
      return 3;
    case Role::operator_:
      return 2;
    case Role::reader:
      return 1;
    case Role::anonymous:
    case Role::own:
      return 0;
  }
  return 3;
}

}  // namespace

Response json_error(const Error& error, const Request&) {
  boost::json::object inner;
  inner["code"] = error.reason().empty() ? to_string(error.code()) : error.reason();
  inner["message"] = error.message();
  boost::json::object outer;
  outer["error"] = std::move(inner);
  return Response(status_of(error.code()), "application/json", boost::json::serialize(outer));
}

struct Router::State {
  ErrorMapper errors;
  Authenticator authenticator;
  std::vector<Route> routes;
  std::vector<std::vector<Segment>> patterns;
  std::vector<std::pair<std::string, uint64_t>> body_limits;

  Result<void> admit(const Route& route, Request& request) const {
    if (route.role == Role::own) return {};
    if (authenticator) {
      TRY(request.principal, authenticator(request));
    }
    if (strength(request.principal.role) >= needed(route.role)) return {};
    if (request.principal.name.empty())
      return fail(Code::unauthenticated, "this needs a bearer token in the Authorization header");
    return fail(Code::denied, "'" + request.principal.name + "' has the role '" +
                                  request.principal.role + "', which is not enough for this");
  }
};

Router::Router(ErrorMapper errors, Authenticator authenticator)
    : state_(std::make_unique<State>()) {
  state_->errors = std::move(errors);
  state_->authenticator = std::move(authenticator);
}
Router::Router(Router&&) noexcept = default;
Router::~Router() = default;

void Router::add(std::string_view method, std::string_view pattern, Role role, Handler handler,
                 AtOnce at_once) {
  state_->routes.push_back(Route{std::string(method), std::string(pattern), role, ErrorMapper(),
                                 std::move(handler), std::move(at_once)});
  state_->patterns.push_back(segments_of(pattern));
}

void Router::add(std::string_view method, std::string_view pattern, Role role, ErrorMapper errors,
                 Handler handler) {
  add(method, pattern, role, std::move(handler));
  state_->routes.back().errors = std::move(errors);
}

void Router::limit_bodies(std::string_view path, uint64_t bytes) {
  state_->body_limits.emplace_back(path, bytes);
}

std::optional<uint64_t> Router::body_limit(std::string_view path) const {
  for (const auto& [prefix, bytes] : state_->body_limits) {
    if (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/'))
      return bytes;
  }
  return std::nullopt;
}

std::span<const Route> Router::routes() const {
  return state_->routes;
}

Response Router::error(const Error& error, const Request& request) const {
  Params params;
  const ErrorMapper* form = &state_->errors;
  for (size_t i = 0; i < state_->routes.size(); ++i) {
    if (!state_->routes[i].errors || !matches(state_->patterns[i], request.path, params)) continue;
    form = &state_->routes[i].errors;
    break;
  }
  Response response = (*form)(error, request);
  if (response.status == 401 && !response.headers.get("WWW-Authenticate"))
    response.header("WWW-Authenticate", "Bearer");
  return response;
}

Response Router::mapped(const Route& route, const Error& e, const Request& request) const {
  return route.errors ? route.errors(e, request) : error(e, request);
}

std::expected<const Route*, Response> Router::find(Request& request) const {
  const Route* found = nullptr;
  Params params, best;
  std::string allowed;
  bool exact = false;
  for (size_t i = 0; i < state_->routes.size() && !exact; ++i) {
    if (!matches(state_->patterns[i], request.path, params)) continue;
    const Route& route = state_->routes[i];
    exact = route.method == request.method || route.method == "*";
    const bool falls_back = request.method == "HEAD" && route.method == "GET";
    if (exact || (falls_back && found == nullptr)) {
      found = &route;
      best.swap(params);
    } else if (allowed.find(route.method) == std::string::npos) {
      allowed += (allowed.empty() ? "" : ", ") + route.method;
    }
  }
  if (found == nullptr) {
    if (allowed.empty())
      return std::unexpected(
          error(Error(Code::not_found, "there is nothing at " + request.path), request));
    Response response = error(Error(Code::unsupported, "method_not_allowed",
                                    request.method + " is not offered here; " + allowed + " is"),
                              request);
    response.status = 405;
    response.header("Allow", allowed);
    return std::unexpected(std::move(response));
  }
  for (const auto& [name, raw] : best) {
    auto decoded = percent_decode(raw);
    if (!decoded || decoded->find('\0') != std::string::npos)
      return std::unexpected(mapped(
          *found, Error(Code::invalid_argument, "the path holds a broken %-escape"), request));
    request.params.emplace_back(name, std::move(*decoded));
  }
  if (auto refused = refuse(*found, request)) return std::unexpected(*std::move(refused));
  return found;
}

std::optional<Response> Router::refuse(const Route& route, Request& request) const {
  const auto admitted = state_->admit(route, request);
  if (admitted) return std::nullopt;
  return mapped(route, admitted.error(), request);
}

Response Router::answer(const Route& route, Request& request, Result<Response> result) const {
  if (result) return std::move(*result);
  if (result.error().code() == Code::internal)
    log::error("http", result.error().message(), {{"request", request.id}, {"path", request.path}});
  return mapped(route, result.error(), request);
}

Response Router::broken(const Route& route, const Request& request, std::string_view bug) const {
  log::error("http", "a handler threw",
             {{"request", request.id}, {"path", request.path}, {"error", std::string(bug)}});
  return mapped(
      route, Error(Code::internal, "an internal error; the log has it under request " + request.id),
      request);
}

Task<Response> Router::run(const Route& route, Request& request) const {
  std::string bug;
  try {
    co_return answer(route, request, co_await route.handler(request));
  } catch (const boost::system::system_error& e) {
    if (e.code() == boost::asio::error::operation_aborted) throw;  // the task was cancelled
    bug = e.what();
  } catch (const std::exception& e) {
    bug = e.what();
  }
  co_return broken(route, request, bug);
}

std::optional<Response> Router::run_at_once(const Route& route, Request& request,
                                            std::string_view body) const {
  if (!route.at_once) return std::nullopt;
  try {
    auto result = route.at_once(request, body);
    if (!result) return std::nullopt;
    return answer(route, request, *std::move(result));
  } catch (const std::exception& e) {
    return broken(route, request, e.what());
  }
}

Task<Response> Router::handle(Request& request) const {
  auto route = find(request);
  if (!route) co_return std::move(route).error();
  co_return co_await run(**route, request);
}

}  // namespace holdfast::http
