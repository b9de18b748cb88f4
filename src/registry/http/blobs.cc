#include <algorithm>

#include "registry/http/call.h"
#include "store/objects/content_body.h"

namespace holdfast::registry {
namespace {

struct Range {
  uint64_t first = 0, size = 0;
};
// One range of bytes; nullopt where there is none, or one that is not understood, which RFC 9110
// lets a server ignore. invalid_argument "blob_range_invalid" where it lies outside.
Result<std::optional<Range>> range_of(const http::Request& request, uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  const std::string_view text = request.headers.get_or("Range", "");
  const size_t dash = text.find('-');
  if (!text.starts_with(unit) || dash == std::string_view::npos ||
      text.find(',') != std::string_view::npos)
    return std::nullopt;
  const std::string_view from = trim(text.substr(unit.size(), dash - unit.size())),
                         to = trim(text.substr(dash + 1));
  const auto first = parse_u64(from), last = parse_u64(to);
  const auto outside = [] {
    return fail(Code::invalid_argument, "blob_range_invalid", "the range is not in the blob");
  };
  if (from.empty()) {
    if (!last) return std::nullopt;
    if (*last == 0 || size == 0) return outside();
    const uint64_t count = std::min(*last, size);
    return Range{size - count, count};
  }
  if (!first || (!to.empty() && (!last || *last < *first))) return std::nullopt;
  if (*first >= size) return outside();
  return Range{*first, std::min(last.value_or(size - 1), size - 1) - *first + 1};
}

}  // namespace

Answer get_blob(Call& call) {
  CO_TRY(const oci::Digest digest, oci::Digest::parse(call.reference));
  CO_TRY(const OpenBlob blob, co_await call.registry.open_blob(call.name, digest));
  const auto range = range_of(call.request, blob.size);
  if (!range) {
    http::Response refused = oci_error(range.error(), call.request);
    refused.header("Content-Range", "bytes */" + std::to_string(blob.size));
    co_return refused;
  }
  http::Response response(*range ? 206 : 200);
  response.header("Content-Type", "application/octet-stream")
      .header("Docker-Content-Digest", digest.str())
      .header("Accept-Ranges", "bytes");
  if (const auto part = *range) {
    response.header("Content-Range", "bytes " + std::to_string(part->first) + "-" +
                                         std::to_string(part->first + part->size - 1) + "/" +
                                         std::to_string(blob.size));
    CO_TRY_VOID(store::set_body(response, blob.content, part->first, part->size));
  } else {
    CO_TRY_VOID(store::set_body(response, blob.content, 0, blob.size));
  }
  co_return response;
}

Answer delete_blob(Call& call) {
  CO_TRY(const oci::Digest digest, oci::Digest::parse(call.reference));
  CO_TRY_VOID(co_await call.registry.delete_blob(call.name, digest));
  co_return http::Response(202);
}

}  // namespace holdfast::registry
