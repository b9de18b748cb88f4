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
// The same without a coroutine, for requests whose `body` is there as a whole. nullopt: it would
// have to wait, and the Handler, which has the request's own body, is to answer. The request stays
// as it was: it is used again where the next one has the same head.
using AtOnce = std::function<std::optional<Result<Response>>(Request&, std::string_view body)>;
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
  AtOnce at_once;  // may be empty
};

// Built once, then only read; what is const is safe from any thread.
class Router {
 public:
  explicit Router(ErrorMapper errors = json_error, Authenticator authenticator = {});
  Router(Router&&) noexcept;
  ~Router();

  void add(std::string_view method, std::string_view pattern, Role role, Handler handler,
           AtOnce at_once = {});
  // The same with an error form of its own for this route.
  void add(std::string_view method, std::string_view pattern, Role role, ErrorMapper errors,
           Handler handler);
  // Requests at and below `path` ("/v2") may carry bodies of this size, in place of the server's
  // own limit.
  void limit_bodies(std::string_view path, uint64_t bytes);
  std::optional<uint64_t> body_limit(std::string_view path) const;  // nullopt: the server's
  std::span<const Route> routes() const;

  // The route of the request, its parameters decoded and its role checked, or what is answered in
  // its place. No route: not_found; route of another method: 405 with Allow. HEAD falls back to
  // GET.
  std::expected<const Route*, Response> find(Request& request) const;
  // What is answered where the request's caller may not use the route; find() asks it already.
  std::optional<Response> refuse(const Route& route, Request& request) const;
  // Runs the handler and maps errors (an escaped exception too: internal).
  Task<Response> run(const Route& route, Request& request) const;
  std::optional<Response> run_at_once(const Route& route, Request& request,
                                      std::string_view body) const;
  Task<Response> handle(Request& request) const;  // find() and run()
  // The error form of the protocol whose path this is, for failures outside any handler.
  Response error(const Error& error, const Request& request) const;

 private:
  struct State;
  Response mapped(const Route& route, const Error& error, const Request& request) const;
  Response answer(const Route& route, Request& request, Result<Response> result) const;
  Response broken(const Route& route, const Request& request, std::string_view bug) const;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::http
