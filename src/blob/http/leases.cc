#include <algorithm>

#include "blob/http/operations.h"

namespace holdfast::blob {
namespace {

std::unexpected<Error> bad(std::string_view name, std::string_view what) {
  return fail(Code::invalid_argument, "invalid_header",
              std::string(name) + " " + std::string(what));
}

// 8-4-4-4-12 hexadecimal digits, in lower case; "" where there is none.
Result<std::string> id_in(const http::Request& request, std::string_view name) {
  std::string id = lower(trim(request.headers.get_or(name, "")));
  bool fits = id.empty() || id.size() == 36;
  for (size_t i = 0; fits && i < id.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool digit = (id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'f');
    fits = dash ? id[i] == '-' : digit;
  }
  if (!fits) return bad(name, "must be a GUID");
  return id;
}

Result<LeaseRequest> lease_request_of(const http::Request& request) {
  const std::string action = lower(request.headers.get_or("x-ms-lease-action", ""));
  LeaseRequest wanted;
  TRY(wanted.id, id_in(request, "x-ms-lease-id"));
  TRY(wanted.proposed, id_in(request, "x-ms-proposed-lease-id"));
  if (action == "acquire") {
    const auto duration = request.headers.get("x-ms-lease-duration");
    if (!duration)
      return fail(Code::invalid_argument, "missing_header", "x-ms-lease-duration is required");
    if (*duration != "-1") {
      const auto seconds = parse_u64(*duration);
      if (!seconds || *seconds < 15 || *seconds > 60)
        return bad("x-ms-lease-duration", "must be 15 to 60 seconds, or -1");
      wanted.seconds = static_cast<int>(*seconds);
    }
    return wanted;
  }
  if (action == "break") {
    wanted.action = LeaseRequest::break_;
    if (const auto period = request.headers.get("x-ms-lease-break-period")) {
      const auto seconds = parse_u64(*period);
      if (!seconds || *seconds > 60)
        return bad("x-ms-lease-break-period", "must be 0 to 60 seconds");
      wanted.break_seconds = static_cast<int>(*seconds);
    }
    return wanted;
  }
  if (action == "renew")
    wanted.action = LeaseRequest::renew;
  else if (action == "change")
    wanted.action = LeaseRequest::change;
  else if (action == "release")
    wanted.action = LeaseRequest::release;
  else
    return bad("x-ms-lease-action", "must be acquire, renew, change, release or break");
  if (wanted.id.empty())
    return fail(Code::invalid_argument, "missing_header", "x-ms-lease-id is required");
  if (wanted.action == LeaseRequest::change && wanted.proposed.empty())
    return fail(Code::invalid_argument, "missing_header", "x-ms-proposed-lease-id is required");
  return wanted;
}

http::Response lease_response(const LeaseRequest& request, const Info& info, WallTime now) {
  const bool made = request.action == LeaseRequest::acquire,
             broken = request.action == LeaseRequest::break_;
  http::Response response = written(made ? 201 : broken ? 202 : 200, info);
  if (broken) {
    const auto left = std::max(info.lease.until - now, std::chrono::nanoseconds(0));
    response.header("x-ms-lease-time",
                    std::to_string(std::chrono::ceil<std::chrono::seconds>(left).count()));
  } else if (request.action != LeaseRequest::release) {
    response.header("x-ms-lease-id", info.lease.id);
  }
  return response;
}

}  // namespace

Answer lease_blob(Call& call) {
  CO_TRY(const LeaseRequest request, lease_request_of(call.request));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(const Info info, co_await call.blobs.lease_blob(call.key(), request, conditions));
  co_return lease_response(request, info, call.blobs.clock().now());
}

Answer lease_container(Call& call) {
  CO_TRY(const LeaseRequest request, lease_request_of(call.request));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(const Info info, co_await call.blobs.lease_container(
                              call.address.account, call.address.container, request, conditions));
  co_return lease_response(request, info, call.blobs.clock().now());
}

}  // namespace holdfast::blob
