// Reasons as the specification's error codes. Source: distribution-spec 1.1, "Error codes".
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "registry/http/call.h"

namespace holdfast::registry {
namespace {

struct Row {
  std::string_view reason;
  unsigned status;
  std::string_view code;
};

constexpr Row kReasons[] = {
    {"blob_unknown", 404, "BLOB_UNKNOWN"},
    {"blob_in_use", 405, "UNSUPPORTED"},
    {"upload_unknown", 404, "BLOB_UPLOAD_UNKNOWN"},
    {"upload_invalid", 400, "BLOB_UPLOAD_INVALID"},
    {"range_invalid", 416, "BLOB_UPLOAD_INVALID"},
    {"blob_range_invalid", 416, "SIZE_INVALID"},
    {"digest_invalid", 400, "DIGEST_INVALID"},
    {"manifest_blob_unknown", 404, "MANIFEST_BLOB_UNKNOWN"},
    {"manifest_invalid", 400, "MANIFEST_INVALID"},
    {"tag_invalid", 400, "MANIFEST_INVALID"},
    {"manifest_unknown", 404, "MANIFEST_UNKNOWN"},
    {"name_invalid", 400, "NAME_INVALID"},
    {"name_unknown", 404, "NAME_UNKNOWN"},
    {"size_invalid", 400, "SIZE_INVALID"},
    {"pagination_invalid", 400, "UNSUPPORTED"},
};

Row row_of(const Error& error) {
  if (error.code() == Code::too_large) return {"", 413, "SIZE_INVALID"};
  for (const Row& row : kReasons) {
    if (row.reason == error.reason()) return row;
  }
  switch (error.code()) {
    case Code::unauthenticated:
      return {"", 401, "UNAUTHORIZED"};
    case Code::denied:
      return {"", 403, "DENIED"};
    case Code::unsupported:
      return {"", 405, "UNSUPPORTED"};
    case Code::not_found:
      return {"", 404, "NAME_UNKNOWN"};
    case Code::unavailable:
      return {"", 503, "UNAVAILABLE"};
    default:
      return {"", http::status_of(error.code()), "UNKNOWN"};
  }
}

}  // namespace

http::Response oci_error(const Error& error, const http::Request&) {
  const Row row = row_of(error);
  boost::json::object one;
  one["code"] = row.code;
  one["message"] = error.message();
  boost::json::object all;
  all["errors"] = boost::json::array{std::move(one)};
  http::Response response(row.status, "application/json", boost::json::serialize(all));
  response.header("Docker-Distribution-API-Version", "registry/2.0");
  if (row.status == 401) response.header("WWW-Authenticate", "Basic realm=\"holdfast\"");
  return response;
}

}  // namespace holdfast::registry
