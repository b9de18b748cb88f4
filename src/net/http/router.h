// Routes, each declared with the role it needs. A service's mount() lists its routes on one screen.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "net/http/message.h"

namespace holdfast::http {

// What a route asks of its caller, weakest first; a stronger role includes the weaker ones.
// `own` means that the handlers authenticate by their protocol's own rules (SharedKey, SAS).
enum class Role { anonymous, reader, operator_, admin, own };

using Handler = std::function<Task<Result<Response>>(Request&)>;
// The protocol's own form of an error. Also gets those of the server itself (bad request, 404, 405,
// 413).
using ErrorMapper = std::function<Response(const Error&, const Request&)>;
// Establishes who asks, from headers. unauthenticated where a credential is there but wrong; a
// Principal with an empty name where there is none.
using Authenticator = std::function<Result<Principal>(const Request&)>;

// {"error":{"code":…,"message":…}} with status_of(): Holdfast's own API.
Response json_error(const Error& error, const Request& request);

struct Route {
  std::string method;   // "*": any
  std::string pattern;  // "/v2/models/{model}/infer"; a last "{name...}" takes the rest of the path
  Role role;
  ErrorMapper errors;  // may be empty: the router's
  Handler handler;
};

// Built once, then only read; handle() is safe from any thread.
class Router {
 public:
  explicit Router(ErrorMapper errors = json_error, Authenticator authenticator = {});
  Router(Router&&) noexcept;
  ~Router();

  void add(std::string_view method, std::string_view pattern, Role role, Handler handler);
  // The same with an error form of its own for this route.
  void add(std::string_view method, std::string_view pattern, Role role, ErrorMapper errors,
           Handler handler);
  // Requests at and below `path` ("/v2") may carry bodies of this size, in place of the server's
  // own limit.
  void limit_bodies(std::string_view path, uint64_t bytes);
  std::optional<uint64_t> body_limit(std::string_view path) const;  // nullopt: the server's
  std::span<const Route> routes() const;

  // Finds the route, checks the role, runs the handler, maps errors (an escaped exception too:
  // internal). No route: not_found; route of another method: 405 with Allow. HEAD falls back to
  // GET.
  Task<Response> handle(Request& request) const;
  // The error form of the protocol whose path this is, for failures outside any handler.
  Response error(const Error& error, const Request& request) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::http
