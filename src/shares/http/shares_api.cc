#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <filesystem>

#include "shares/shares.h"

namespace holdfast::shares {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

http::Response json_response(const json::value& value) {
  return http::Response(200, "application/json", json::serialize(value));
}

json::object describe(const ShareConfig& share) {
  json::object out;
  out["name"] = share.name.str();
  out["kind"] = share.kind == ShareKind::cloud ? "cloud" : "local";
  out["path"] = share.path;
  if (share.kind == ShareKind::cloud) {
    out["account"] = share.account;
    out["container"] = share.container;
    if (share.keep) out["keep_ms"] = share.keep->count();
  }
  return out;
}

Task<Result<http::Response>> list(const Shares& shares) {
  json::array rows;
  for (const ShareConfig& share : shares.list()) rows.push_back(describe(share));
  json::object out;
  out["shares"] = std::move(rows);
  co_return json_response(out);
}

Result<const ShareConfig*> share_of(Shares& shares, const http::Request& request) {
  TRY(const ShareName name, parse_share_name(request.param("name")));
  const ShareConfig* share = shares.find(name);
  if (share == nullptr) return fail(Code::not_found, "there is no share '" + name.str() + "'");
  return share;
}

Task<Result<http::Response>> show(Shares& shares, http::Request& request) {
  CO_TRY(const ShareConfig* share, share_of(shares, request));
  json::object out = describe(*share);
  CO_TRY(const auto deliveries, co_await shares.events().list(share->name, "", 1'000'000));
  json::object consumers;
  for (const Delivery& delivery : deliveries) {
    json::value& of_consumer = consumers[delivery.consumer];
    if (of_consumer.is_null()) of_consumer = json::object();
    json::value& count = of_consumer.as_object()[delivery.state];
    count = count.is_null() ? int64_t{1} : count.as_int64() + 1;
  }
  out["consumers"] = std::move(consumers);
  json::array aside;
  std::error_code error;
  for (const auto& file : fs::recursive_directory_iterator(share->path + "/.set-aside", error)) {
    const std::string name = fs::relative(file.path(), share->path + "/.set-aside", error);
    if (name.ends_with(".reason.json")) aside.emplace_back(name.substr(0, name.size() - 12));
  }
  out["set_aside"] = std::move(aside);
  co_return json_response(out);
}

Task<Result<http::Response>> files(Shares& shares, http::Request& request) {
  CO_TRY(const ShareConfig* share, share_of(shares, request));
  const std::string state(request.query_value("state").value_or(""));
  if (!state.empty() && state != "pending" && state != "done" && state != "failed")
    co_return fail(Code::invalid_argument, "state is pending, done or failed");
  const auto limit = parse_u64(request.query_value("limit").value_or("100"));
  if (!limit || *limit == 0 || *limit > 100'000)
    co_return fail(Code::invalid_argument, "limit is a number from 1 to 100000");
  CO_TRY(const auto deliveries, co_await shares.events().list(share->name, state, *limit));
  json::array rows;
  for (const Delivery& delivery : deliveries) {
    json::object row;
    row["event"] = delivery.event.id;
    row["file"] = delivery.event.path;
    row["size"] = delivery.event.size;
    row["closed"] = format_rfc3339(delivery.event.closed, 9);
    row["consumer"] = delivery.consumer;
    row["state"] = delivery.state;
    if (!delivery.reason.empty()) row["reason"] = delivery.reason;
    rows.push_back(std::move(row));
  }
  json::object out;
  out["files"] = std::move(rows);
  co_return json_response(out);
}

}  // namespace

void mount(http::Router& router, Shares& shares) {
  router.add("GET", "/api/v1/shares", http::Role::anonymous,
             [&shares](http::Request&) { return list(shares); });
  router.add("GET", "/api/v1/shares/{name}", http::Role::anonymous,
             [&shares](http::Request& request) { return show(shares, request); });
  router.add("GET", "/api/v1/shares/{name}/files", http::Role::anonymous,
             [&shares](http::Request& request) { return files(shares, request); });
}

}  // namespace holdfast::shares
