#include "base/crc64.h"
#include "base/digest.h"
#include "blob/http/history.h"
#include "blob/http/operations.h"
#include "blob/http/retention.h"
#include "store/objects/content_body.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kHashedRange = 4 << 20;

http::Response described(unsigned status, const Info& info, WallTime now) {
  http::Response response = written(status, info);
  response.header("Accept-Ranges", "bytes")
      .header("x-ms-blob-type", std::string(type_text(info.type)))
      .header("x-ms-creation-time", format_http_date(info.created));
  if (info.version != WallTime() && info.current)
    response.header("x-ms-is-current-version", "true");
  if (info.snapshot == WallTime()) add_lease(response, info.lease, now);
  response.header("x-ms-server-encrypted", "false");
  if (info.type == BlobType::append) {
    response.header("x-ms-blob-committed-block-count", std::to_string(info.blocks));
    if (info.sealed) response.header("x-ms-blob-sealed", "true");
  }
  if (info.type == BlobType::page)
    response.header("x-ms-blob-sequence-number", std::to_string(info.sequence));
  for (const auto& [name, value] : info.headers) response.header(name, value);
  add_metadata(response, info.metadata);
  add_retention(response, info);
  if (!info.tags.empty()) response.header("x-ms-tag-count", std::to_string(info.tags.size()));
  for (const auto& [name, header] :
       {std::pair("id", "x-ms-copy-id"), std::pair("source", "x-ms-copy-source"),
        std::pair("status", "x-ms-copy-status"), std::pair("progress", "x-ms-copy-progress"),
        std::pair("completed", "x-ms-copy-completion-time"),
        std::pair("description", "x-ms-copy-status-description")}) {
    if (const auto value = value_of(info.copy, name); !value.empty())
      response.header(header, std::string(value));
  }
  return response;
}

bool asks(const http::Request& request, std::string_view header) {
  return equal_ignore_case(request.headers.get_or(header, ""), "true");
}

// The bytes themselves with the checksums that the request asks for.
Task<Result<void>> set_hashed_body(http::Response& response, const http::Request& request,
                                   const OpenBlob& blob, uint64_t first, uint64_t size) {
  if (size > kHashedRange)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "a checksum is offered for ranges up to 4 MiB");
  store::ContentSource source(blob.content, first, size);
  CO_TRY(std::string bytes, co_await read_all(source, kHashedRange));
  if (asks(request, "x-ms-range-get-content-md5"))
    response.header("Content-MD5", base64(as_bytes(hash(HashKind::md5, as_bytes(bytes)))));
  if (asks(request, "x-ms-range-get-content-crc64"))
    response.header("x-ms-content-crc64", crc64_text(Crc64::of(as_bytes(bytes))));
  response.body = std::move(bytes);
  co_return Result<void>();
}

bool asks_checksum(const http::Request& request) {
  return asks(request, "x-ms-range-get-content-md5") ||
         asks(request, "x-ms-range-get-content-crc64");
}

struct Read {
  BlobKey key;
  Conditions conditions;
  std::optional<Range> range;
};

Result<Read> read_of(const Call& call) {
  TRY(BlobKey key, addressed(call.request, call.address));
  TRY(Conditions conditions, conditions_of(call, Use::read));
  return Read{std::move(key), std::move(conditions), range_of(call.request)};
}

struct Part {
  uint64_t first = 0, size = 0;
};

Part part_of(const Info& info, const std::optional<Range>& range) {
  if (!range) return {0, info.size};
  return {range->first, std::min(range->last, info.size - 1) - range->first + 1};
}

// The answer to a read but for its body; whole, with the status 416, where nothing of the blob is
// in the range.
http::Response head_of(const Call& call, const OpenBlob& blob, const std::optional<Range>& range) {
  if (range && range->first >= blob.info.size) {
    const Error error(Code::invalid_argument, "invalid_range",
                      "The range specified is invalid for the current size of the resource.");
    http::Response response = xml_error(error, call.request);
    response.header("Content-Range", "bytes */" + std::to_string(blob.info.size));
    return response;
  }
  http::Response response = described(range ? 206 : 200, blob.info, call.blobs.clock().now());
  if (range) {
    const Part part = part_of(blob.info, range);
    response.header("Content-Range", "bytes " + std::to_string(part.first) + "-" +
                                         std::to_string(part.first + part.size - 1) + "/" +
                                         std::to_string(blob.info.size));
    // The stored MD5 is the whole blob's; beside a range it has another name.
    response.headers.erase("Content-MD5");
    if (const auto md5 = value_of(blob.info.headers, "Content-MD5"); !md5.empty())
      response.header("x-ms-blob-content-md5", md5);
  }
  for (const auto& [name, value] : call.overrides) response.header(name, value);
  return response;
}

Result<http::Response> read_answer(const Call& call, const OpenBlob& blob,
                                   const std::optional<Range>& range) {
  http::Response response = head_of(call, blob, range);
  if (response.status == 416) return response;
  const Part part = part_of(blob.info, range);
  TRY_VOID(store::set_body(response, blob.content, part.first, part.size));
  return response;
}

}  // namespace

Answer get_blob_metadata(Call& call) {
  CO_TRY(BlobKey key, addressed(call.request, call.address));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::read));
  CO_TRY(const Info info, co_await call.blobs.blob(std::move(key), conditions));
  http::Response response = written(200, info);
  add_metadata(response, info.metadata);
  co_return response;
}

Answer head_blob(Call& call) {
  CO_TRY(BlobKey key, addressed(call.request, call.address));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::read));
  CO_TRY(const Info info, co_await call.blobs.blob(std::move(key), conditions));
  http::Response response = described(200, info, call.blobs.clock().now());
  if (info.tier.empty()) {
    response.header("x-ms-access-tier", "Hot").header("x-ms-access-tier-inferred", "true");
  } else {
    response.header("x-ms-access-tier", info.tier)
        .header("x-ms-access-tier-change-time", format_http_date(info.tier_changed));
  }
  if (!info.rehydration.to.empty())
    response.header("x-ms-archive-status", archive_status(info.rehydration))
        .header("x-ms-rehydrate-priority", info.rehydration.high ? "High" : "Standard");
  for (const auto& [name, value] : call.overrides) response.header(name, value);
  response.announced_length = info.size;
  co_return response;
}

Answer get_blob(Call& call) {
  CO_TRY(Read read, read_of(call));
  CO_TRY(const OpenBlob blob, co_await call.blobs.open_blob(std::move(read.key), read.conditions,
                                                            read.range.value_or(Range())));
  if (!asks_checksum(call.request)) co_return read_answer(call, blob, read.range);
  if (!read.range)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "a checksum is offered for a range; there is none");
  http::Response response = head_of(call, blob, read.range);
  if (response.status == 206) {
    const Part part = part_of(blob.info, read.range);
    CO_TRY_VOID(co_await set_hashed_body(response, call.request, blob, part.first, part.size));
  }
  co_return response;
}

std::optional<Result<http::Response>> get_blob_now(Call& call) {
  if (asks_checksum(call.request)) return std::nullopt;
  TRY(const Read read, read_of(call));
  auto opened = call.blobs.open_blob_now(read.key, read.conditions, read.range.value_or(Range()));
  if (!opened) return std::nullopt;
  TRY(const OpenBlob blob, *std::move(opened));
  return read_answer(call, blob, read.range);
}

}  // namespace holdfast::blob
