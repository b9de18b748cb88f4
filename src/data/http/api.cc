#include "data/http/api.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

#include "store/objects/content_body.h"

namespace holdfast::data {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

constexpr uint64_t kBody = 64 << 10;
constexpr uint64_t kPage = 5000;

http::Response answer(unsigned status, const json::value& value) {
  return http::Response(status, "application/json", json::serialize(value));
}

json::object describe(const Version& version) {
  json::object out;
  out["name"] = version.asset;
  out["version"] = std::to_string(version.number);
  out["created"] = format_rfc3339(version.created);
  out["account"] = version.source.account;
  out["container"] = version.source.container;
  out["prefix"] = version.source.prefix;
  out["digest"] = version.digest;
  out["files"] = version.files;
  out["bytes"] = version.bytes;
  return out;
}

json::array describe(const std::vector<Version>& versions) {
  json::array out;
  for (const Version& version : versions) out.push_back(describe(version));
  return out;
}

// 0: the newest.
Result<int64_t> number_of(const http::Request& request) {
  const std::string_view text = request.param("version");
  if (text == "latest") return 0;
  const auto number = parse_u64(text);
  if (!number || *number == 0 || *number > INT64_MAX)
    return fail(Code::invalid_argument,
                "'" + std::string(text) + "' is no version: a number from 1, or latest");
  return static_cast<int64_t>(*number);
}

struct Wanted {
  std::string name;
  Source source;
};

Result<Wanted> parse_wanted(const std::string& body) {
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  if (error || !value.is_object())
    return fail(Code::invalid_argument,
                R"(the body must be like {"name":"digits","account":"site1","container":"ready"})");
  Wanted out;
  for (const auto& [key, item] : value.as_object()) {
    std::string* into = key == "name"        ? &out.name
                        : key == "account"   ? &out.source.account
                        : key == "container" ? &out.source.container
                        : key == "prefix"    ? &out.source.prefix
                                             : nullptr;
    if (into == nullptr)
      return fail(Code::invalid_argument, "unknown field '" + std::string(key) +
                                              "'; name, account, container and prefix are known");
    if (!item.is_string())
      return fail(Code::invalid_argument, "the field '" + std::string(key) + "' must be a text");
    *into = std::string(item.as_string());
  }
  for (const auto& [field, text] : {std::pair("name", &out.name),
                                    {"account", &out.source.account},
                                    {"container", &out.source.container}}) {
    if (text->empty())
      return fail(Code::invalid_argument, std::string("the field '") + field + "' is required");
  }
  return out;
}

struct Api {
  explicit Api(Assets& assets_) : assets(assets_) {}
  Assets& assets;

  Answer list(http::Request&) {
    CO_TRY(const auto found, co_await assets.list());
    json::object out;
    out["assets"] = describe(found);
    co_return answer(200, out);
  }
  Answer create(http::Request& request) {
    CO_TRY(const std::string body, co_await read_all(*request.body, kBody));
    CO_TRY(Wanted wanted, parse_wanted(body));
    CO_TRY(const Version made,
           co_await assets.create(std::move(wanted.name), std::move(wanted.source)));
    co_return answer(201, describe(made));
  }
  Answer versions(http::Request& request) {
    CO_TRY(const auto found, co_await assets.versions(std::string(request.param("name"))));
    json::object out;
    out["versions"] = describe(found);
    co_return answer(200, out);
  }
  Answer show(http::Request& request) {
    CO_TRY(const int64_t number, number_of(request));
    CO_TRY(const Version found, co_await assets.find(std::string(request.param("name")), number));
    co_return answer(200, describe(found));
  }
  Answer files(http::Request& request) {
    CO_TRY(const int64_t number, number_of(request));
    const auto limit = parse_u64(request.query_value("limit").value_or("1000"));
    if (!limit || *limit == 0 || *limit > kPage)
      co_return fail(Code::invalid_argument, "limit must be a number from 1 to 5000");
    CO_TRY(const auto found,
           co_await assets.files(std::string(request.param("name")), number,
                                 std::string(request.query_value("after").value_or("")), *limit));
    json::array rows;
    for (const File& file : found) {
      json::object row;
      row["path"] = file.path;
      row["size"] = file.size;
      rows.push_back(std::move(row));
    }
    json::object out;
    out["next"] = found.size() == *limit ? found.back().path : "";
    out["files"] = std::move(rows);
    co_return answer(200, out);
  }
  Answer file(http::Request& request) {
    CO_TRY(const int64_t number, number_of(request));
    CO_TRY(const Assets::OpenFile found,
           co_await assets.open_file(std::string(request.param("name")), number,
                                     std::string(request.param("path"))));
    http::Response response(200);
    response.header("Content-Type", "application/octet-stream");
    CO_TRY_VOID(store::set_body(response, found.content, 0, found.size));
    co_return response;
  }
  Answer remove(http::Request& request) {
    CO_TRY(const int64_t number, number_of(request));
    if (number == 0)
      co_return fail(Code::invalid_argument, "name the version that shall be deleted");
    CO_TRY_VOID(co_await assets.remove(std::string(request.param("name")), number));
    co_return http::Response(204);
  }
};

}  // namespace

void mount(http::Router& router, Assets& assets) {
  using http::Role;
  auto api = std::make_shared<Api>(assets);
  const auto add = [&](std::string_view method, std::string_view pattern, Role role,
                       Answer (Api::*handler)(http::Request&)) {
    router.add(method, pattern, role,
               [api, handler](http::Request& request) { return ((*api).*handler)(request); });
  };
  add("GET", "/api/v1/data", Role::reader, &Api::list);
  add("POST", "/api/v1/data", Role::operator_, &Api::create);
  add("GET", "/api/v1/data/{name}", Role::reader, &Api::versions);
  add("GET", "/api/v1/data/{name}/versions/{version}", Role::reader, &Api::show);
  add("GET", "/api/v1/data/{name}/versions/{version}/files", Role::reader, &Api::files);
  add("GET", "/api/v1/data/{name}/versions/{version}/files/{path...}", Role::reader, &Api::file);
  add("DELETE", "/api/v1/data/{name}/versions/{version}", Role::operator_, &Api::remove);
}

}  // namespace holdfast::data
