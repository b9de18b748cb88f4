#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "uplink/uplink.h"

namespace holdfast::uplink {
namespace {

namespace json = boost::json;

Task<Result<http::Response>> show(Uplink& uplink) {
  json::array rows;
  for (const auto& share : uplink.list()) {
    CO_TRY(const shares::Counts counts,
           co_await uplink.events().counts(share.name, consumer_of(share.name)));
    const ShareProgress progress = uplink.progress(share.name);
    json::object row;
    row["share"] = share.name.str();
    row["account"] = share.account;
    row["container"] = share.container;
    row["pending_files"] = counts.pending;
    row["pending_bytes"] = counts.pending_bytes;
    row["uploaded_files"] = counts.done;
    row["uploaded_bytes"] = counts.done_bytes;
    row["failed_files"] = counts.failed;
    row["uploaded_since_start"] = progress.uploaded_files;
    row["removed_since_start"] = progress.removed_files;
    row["waiting"] = progress.waiting;
    rows.push_back(std::move(row));
  }
  json::object out;
  out["shares"] = std::move(rows);
  co_return http::Response(200, "application/json", json::serialize(out));
}

Task<Result<http::Response>> retry(Uplink& uplink) {
  int64_t count = 0;
  for (const auto& share : uplink.list()) {
    CO_TRY(const int64_t again, co_await uplink.events().retry(consumer_of(share.name)));
    count += again;
  }
  json::object out;
  out["retried"] = count;
  co_return http::Response(200, "application/json", json::serialize(out));
}

}  // namespace

void mount(http::Router& router, Uplink& uplink) {
  router.add("GET", "/api/v1/uplink", http::Role::anonymous,
             [&uplink](http::Request&) { return show(uplink); });
  router.add("POST", "/api/v1/uplink/retry", http::Role::anonymous,
             [&uplink](http::Request&) { return retry(uplink); });
}

}  // namespace holdfast::uplink
