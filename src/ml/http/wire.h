// What the routes share: a request's fields, answers, errors, who may do what.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "ml/http/service.h"

namespace holdfast::ml {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

// Fields of a request, from its JSON body or, for GET, its query. Fields that nobody asks for are
// ignored, as MLflow does. A field of another type, or one that is required and missing:
// invalid_argument.
class Args {
 public:
  static Task<Result<Args>> of(http::Request& request, uint64_t limit);
  static Args none() { return Args(json::object()); }

  bool has(std::string_view name) const { return body_.contains(name); }
  Result<std::string> text(std::string_view name) const;  // required, not empty
  Result<std::string> text_or(std::string_view name, std::string_view otherwise = "") const;
  // Also as text, and as clients of R write it: "1.6e+12".
  Result<int64_t> integer_or(std::string_view name, int64_t otherwise) const;
  Result<int64_t> integer(std::string_view name) const;
  Result<double> number(std::string_view name) const;  // also "NaN", "Infinity"
  Result<bool> flag_or(std::string_view name, bool otherwise) const;
  Result<std::vector<std::string>> texts(std::string_view name) const;
  Result<std::vector<Args>> list(std::string_view name) const;  // of objects
  Result<Args> object(std::string_view name) const;             // empty where it is not there
  Result<Pairs> pairs(std::string_view name) const;             // [{"key","value"}, …]

 private:
  explicit Args(json::object body) : body_(std::move(body)) {}
  const json::value* find(std::string_view name) const;  // null where absent or null
  json::object body_;
};

http::Response answer(json::object body = {});
http::Response ml_error(const Error& error, const http::Request& request);
json::array pairs_json(const Pairs& pairs);
// A page of a list: {NAME: […], "next_page_token": …}, each left out where it is empty.
template <class T>
json::object page_json(std::string_view name, const PageOf<T>& page,
                       json::object (*describe_one)(const T&)) {
  json::object out;
  json::array rows;
  for (const T& item : page.items) rows.push_back(describe_one(item));
  if (!rows.empty()) out[name] = std::move(rows);
  if (!page.next.empty()) out["next_page_token"] = page.next;
  return out;
}
std::string artifact_uri(const std::string& root);  // "mlflow-artifacts:/ROOT"
Result<int64_t> experiment_id(std::string_view text);
Result<Search> search_of(const Args& args, int64_t usual, int64_t most);

struct Caller {
  std::string name, role;
  bool writes() const { return role == "operator" || role == "admin"; }
  // Of a token for one run: that run's id; else "".
  std::string run() const { return role == kRunRole ? name : ""; }
};

// Each group of routes adds its own; the wrapper has done the authentication.
struct Call {
  const MlParts& ml;
  const Caller& caller;
  const Args& args;
  http::Request& request;
};
using Handler = Answer (*)(Call);
enum class Need { read, write, run };  // run: write, or a run's own token (the handler looks whose)

class Routes {
 public:
  Routes(http::Router& router, MlParts parts, http::Authenticator authenticator)
      : router_(router), parts_(parts), authenticator_(std::move(authenticator)) {}
  // `path` begins behind /api/2.0: "/mlflow/runs/create". Up to `body` bytes of JSON.
  void add(std::string_view method, std::string_view path, Need need, Handler handler,
           uint64_t body = 1'000'000);
  // The body is the handler's to read.
  void add_stream(std::string_view method, std::string_view path, Need need, Handler handler);
  void add_rest(std::string_view path);  // "no such endpoint" for all that is left

 private:
  void add_route(std::string_view method, std::string_view path, Need need, Handler handler,
                 std::optional<uint64_t> body);
  http::Router& router_;
  MlParts parts_;
  http::Authenticator authenticator_;
};

// denied where the caller's token is for another run.
Result<void> may_write_run(const Caller& caller, std::string_view run);

void add_experiments(Routes& routes);
void add_runs(Routes& routes);
void add_logged_models(Routes& routes);
void add_registry(Routes& routes);
void add_artifacts(Routes& routes);

}  // namespace holdfast::ml
