#include "blob/retention.h"

#include "blob/http/history.h"
#include "blob/http/operations.h"
#include "blob/http/retention.h"

namespace holdfast::blob {
namespace {

// Times are kept in nanoseconds, which end in the year 2262.
Result<WallTime> time_of(const http::Request& request, std::string_view name) {
  const std::string_view text = request.headers.get_or(name, "");
  const auto time = parse_http_date(text);
  if (!time || text.substr(12, 4) > "2200")
    return fail(Code::invalid_argument, "invalid_header",
                std::string(name) + " must be an HTTP date up to the year 2200");
  return *time;
}

Result<Immutability::Mode> mode_of(const http::Request& request) {
  const std::string_view mode = request.headers.get_or("x-ms-immutability-policy-mode", "unlocked");
  if (equal_ignore_case(mode, "locked")) return Immutability::locked;
  if (equal_ignore_case(mode, "unlocked")) return Immutability::unlocked;
  return fail(Code::invalid_argument, "invalid_header",
              "x-ms-immutability-policy-mode must be unlocked or locked");
}

Result<WallTime> until_of(const http::Request& request, WallTime now) {
  if (!request.headers.get("x-ms-immutability-policy-until-date"))
    return fail(Code::invalid_argument, "missing_header",
                "An HTTP header that's mandatory for this request is not specified: "
                "x-ms-immutability-policy-until-date.");
  TRY(const WallTime until, time_of(request, "x-ms-immutability-policy-until-date"));
  if (until <= now)
    return fail(Code::invalid_argument, "invalid_header",
                "x-ms-immutability-policy-until-date is past");
  return until;
}

Result<bool> hold_of(const http::Request& request) {
  const std::string_view hold = request.headers.get_or("x-ms-legal-hold", "");
  if (equal_ignore_case(hold, "true")) return true;
  if (equal_ignore_case(hold, "false")) return false;
  return fail(Code::invalid_argument, hold.empty() ? "missing_header" : "invalid_header",
              "x-ms-legal-hold must be true or false");
}

Result<std::optional<Expiry>> expiry_of(const http::Request& request) {
  const auto option = request.headers.get("x-ms-expiry-option");
  if (!option) return std::nullopt;
  Expiry expiry;
  if (equal_ignore_case(*option, "NeverExpire"))
    expiry.from = Expiry::never;
  else if (equal_ignore_case(*option, "RelativeToNow"))
    expiry.from = Expiry::now;
  else if (equal_ignore_case(*option, "RelativeToCreation"))
    expiry.from = Expiry::creation;
  else if (equal_ignore_case(*option, "Absolute"))
    expiry.from = Expiry::absolute;
  else
    return fail(Code::invalid_argument, "invalid_header",
                "x-ms-expiry-option must be NeverExpire, RelativeToNow, RelativeToCreation or "
                "Absolute");
  const auto time = request.headers.get("x-ms-expiry-time");
  if (time.has_value() == (expiry.from == Expiry::never))
    return fail(Code::invalid_argument, time ? "invalid_header" : "missing_header",
                "x-ms-expiry-time goes with every x-ms-expiry-option but NeverExpire");
  if (expiry.from == Expiry::absolute) {
    TRY(expiry.at, time_of(request, "x-ms-expiry-time"));
  } else if (time) {
    const auto after = parse_u64(trim(*time));
    if (!after || *after == 0 || *after > INT64_MAX)
      return fail(Code::invalid_argument, "invalid_header",
                  "x-ms-expiry-time must be a number of milliseconds");
    expiry.after = std::chrono::milliseconds(*after);
  }
  return expiry;
}

}  // namespace

Result<void> retention_of(const Call& call, NewBlob& wanted) {
  const http::Request& request = call.request;
  const WallTime now = call.blobs.clock().now();
  if (request.headers.get("x-ms-immutability-policy-mode") ||
      request.headers.get("x-ms-immutability-policy-until-date")) {
    TRY(wanted.immutability.mode, mode_of(request));
    TRY(wanted.immutability.until, until_of(request, now));
  }
  if (request.headers.get("x-ms-legal-hold")) {
    TRY(wanted.immutability.hold, hold_of(request));
  }
  TRY(const auto expiry, expiry_of(request));
  if (expiry) {
    TRY(wanted.expiry, expiry_at(*expiry, now, now));
  }
  return {};
}

void add_retention(http::Response& response, const Info& info) {
  if (info.expiry != WallTime()) response.header("x-ms-expiry-time", format_http_date(info.expiry));
  if (info.immutability.mode != Immutability::none) {
    response
        .header("x-ms-immutability-policy-mode",
                info.immutability.mode == Immutability::locked ? "locked" : "unlocked")
        .header("x-ms-immutability-policy-until-date", format_http_date(info.immutability.until));
  }
  if (info.immutability.hold) response.header("x-ms-legal-hold", "true");
}

Answer set_blob_expiry(Call& call) {
  CO_TRY(const auto expiry, expiry_of(call.request));
  if (!expiry)
    co_return fail(
        Code::invalid_argument, "missing_header",
        "An HTTP header that's mandatory for this request is not specified: x-ms-expiry-option.");
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  Retention retention(call.blobs);
  CO_TRY(const Info info, co_await retention.set_expiry(call.key(), *expiry, conditions));
  co_return written(200, info);
}

Answer set_immutability_policy(Call& call) {
  CO_TRY(const Immutability::Mode mode, mode_of(call.request));
  CO_TRY(const WallTime until, until_of(call.request, call.blobs.clock().now()));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(const BlobKey key, addressed(call.request, call.address));
  Retention retention(call.blobs);
  CO_TRY(const Info info, co_await retention.set_policy(key, mode, until, conditions));
  http::Response response(200);
  response
      .header("x-ms-immutability-policy-mode", mode == Immutability::locked ? "locked" : "unlocked")
      .header("x-ms-immutability-policy-until-date", format_http_date(info.immutability.until));
  co_return response;
}

Answer delete_immutability_policy(Call& call) {
  CO_TRY(const BlobKey key, addressed(call.request, call.address));
  Retention retention(call.blobs);
  CO_TRY_VOID(co_await retention.delete_policy(key));
  co_return http::Response(200);
}

Answer set_legal_hold(Call& call) {
  CO_TRY(const bool hold, hold_of(call.request));
  CO_TRY(const BlobKey key, addressed(call.request, call.address));
  Retention retention(call.blobs);
  CO_TRY_VOID(co_await retention.set_hold(key, hold));
  co_return http::Response(200).header("x-ms-legal-hold", hold ? "true" : "false");
}

}  // namespace holdfast::blob
