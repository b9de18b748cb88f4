#include "blob/history.h"

#include <charconv>

#include "blob/http/history.h"
#include "blob/http/operations.h"

namespace holdfast::blob {
namespace {

using Ticks = std::chrono::duration<int64_t, std::ratio<1, 10'000'000>>;

Result<WallTime> time_in(const http::Request& request, const char* name) {
  const auto text = request.query_value(name);
  if (!text) return WallTime();
  const auto time = parse_rfc3339(*text);
  if (!time || *time <= WallTime())
    return fail(Code::invalid_argument, "invalid_query",
                "Value for one of the query parameters specified in the request URI is invalid: " +
                    std::string(name));
  return std::chrono::floor<Ticks>(*time);
}

}  // namespace

std::string time_text(WallTime time) {
  return format_rfc3339(time, 7);
}

std::string days_left(WallTime expires, WallTime now) {
  const auto left = std::max(expires - now, std::chrono::nanoseconds(0));
  return std::to_string(std::chrono::ceil<std::chrono::days>(left).count());
}

std::string container_version(WallTime deleted) {
  return etag_text(static_cast<uint64_t>(deleted.time_since_epoch().count())).substr(2);
}

std::optional<WallTime> container_version_in(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size() ||
      value > INT64_MAX)
    return std::nullopt;
  return WallTime(std::chrono::nanoseconds(static_cast<int64_t>(value)));
}

Result<BlobKey> addressed(const http::Request& request, const Address& address) {
  BlobKey key(address.account, address.container, address.blob);
  TRY(key.snapshot, time_in(request, "snapshot"));
  TRY(key.version, time_in(request, "versionid"));
  if (key.snapshot != WallTime() && key.version != WallTime())
    return fail(Code::invalid_argument, "invalid_query",
                "snapshot and versionid exclude each other");
  return key;
}

Answer snapshot_blob(Call& call) {
  CO_TRY(Pairs given, metadata_of(call.request));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  std::optional<Pairs> metadata;
  if (!given.empty()) metadata = std::move(given);
  History history(call.blobs);
  CO_TRY(const Info info, co_await history.snapshot(call.key(), std::move(metadata), conditions));
  http::Response response = written(201, info);
  response.header("x-ms-snapshot", time_text(info.snapshot))
      .header("x-ms-request-server-encrypted", "false");
  co_return response;
}

Answer delete_blob(Call& call) {
  const http::Request& request = call.request;
  CO_TRY(BlobKey key, addressed(request, call.address));
  const bool kept = key.snapshot != WallTime() || key.version != WallTime();
  Removal removal;
  if (const auto snapshots = request.headers.get("x-ms-delete-snapshots")) {
    if (*snapshots != "include" && *snapshots != "only")
      co_return fail(Code::invalid_argument, "invalid_header",
                     "x-ms-delete-snapshots is include or only");
    if (kept)
      co_return fail(Code::invalid_argument, "invalid_query",
                     "x-ms-delete-snapshots is for the blob itself alone");
    removal.snapshots = *snapshots == "only" ? Removal::only : Removal::include;
  }
  if (const auto type = request.query_value("deletetype")) {
    if (*type != "permanent" || !kept)
      co_return fail(Code::invalid_argument, "invalid_query",
                     "deletetype is permanent, of a snapshot or version");
    removal.permanent = true;
  }
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  History history(call.blobs);
  CO_TRY(const bool permanent, co_await history.remove(std::move(key), conditions, removal));
  co_return http::Response(202).header("x-ms-delete-type-permanent", permanent ? "true" : "false");
}

Answer undelete_blob(Call& call) {
  History history(call.blobs);
  CO_TRY_VOID(co_await history.undelete(call.key()));
  co_return http::Response(200);
}

Answer restore_container(Call& call) {
  const http::Request& request = call.request;
  CO_TRY_VOID(check_container_name(call.address.container));
  const std::string from(request.headers.get_or("x-ms-deleted-container-name", "")),
      version(request.headers.get_or("x-ms-deleted-container-version", ""));
  if (from.empty() || version.empty())
    co_return fail(Code::invalid_argument, "missing_header",
                   "x-ms-deleted-container-name and x-ms-deleted-container-version are required");
  const auto deleted = container_version_in(version);
  if (!deleted)
    co_return fail(Code::not_found, "container_not_found",
                   "there is no deleted container of this version");
  History history(call.blobs);
  CO_TRY(const Info info, co_await history.restore_container(
                              call.address.account, call.address.container, from, *deleted));
  co_return written(201, info);
}

}  // namespace holdfast::blob
