// Copy Blob, Copy From URL, Put Blob From URL, Abort Copy Blob. A copy inside this server is done
// when it is answered, and no byte of it is copied; Copy Blob from elsewhere goes on after that.
#include <algorithm>

#include "base/crc64.h"
#include "base/digest.h"
#include "blob/http/body.h"
#include "blob/http/copy.h"
#include "blob/http/operations.h"
#include "blob/http/retention.h"
#include "blob/pending_copies.h"
#include "store/objects/content_body.h"

namespace holdfast::blob {
namespace {

enum class Kind { copy, copy_now, put_from_url };

Result<Kind> kind_of(const http::Request& request) {
  const std::string_view type = request.headers.get_or("x-ms-blob-type", "");
  if (!type.empty() && type != "BlockBlob")
    return fail(Code::invalid_argument, "invalid_header",
                "Put Blob From URL makes block blobs alone");
  if (!type.empty()) return Kind::put_from_url;
  return equal_ignore_case(request.headers.get_or("x-ms-requires-sync", ""), "true")
             ? Kind::copy_now
             : Kind::copy;
}

// Put Blob From URL takes the source's headers but for those that the request itself has.
Result<Pairs> merged_headers(const http::Request& request, const Pairs& of_source) {
  TRY(Pairs own, blob_headers_of(request, false));
  if (!request.headers.get("x-ms-blob-content-type"))
    std::erase_if(own, [](const auto& pair) { return pair.first == "Content-Type"; });
  if (!equal_ignore_case(request.headers.get_or("x-ms-copy-source-blob-properties", ""), "false")) {
    for (const auto& [name, value] : of_source) {
      if (value_of(own, name).empty()) own.emplace_back(name, value);
    }
  }
  if (value_of(own, "Content-Type").empty())
    own.emplace_back("Content-Type", "application/octet-stream");
  return own;
}

Result<bool> takes_tags(const http::Request& request) {
  const std::string_view option = request.headers.get_or("x-ms-copy-source-tag-option", "");
  const bool copy = equal_ignore_case(option, "COPY");
  if (!option.empty() && !copy && !equal_ignore_case(option, "REPLACE"))
    return fail(Code::invalid_argument, "invalid_header",
                "x-ms-copy-source-tag-option must be REPLACE or COPY");
  if (copy && request.headers.get("x-ms-tags"))
    return fail(Code::invalid_argument, "invalid_header",
                "x-ms-tags: the tags are the source's own already");
  return copy;
}

Pairs done_copy(Call& call, uint64_t size) {
  const std::string bytes = std::to_string(size);
  return {{"id", random_uuid()},
          {"source", source_shown(call.request)},
          {"status", "success"},
          {"progress", bytes + "/" + bytes},
          {"completed", format_http_date(call.blobs.clock().now())}};
}

http::Response copied(Kind kind, const Info& info) {
  http::Response response = written(kind == Kind::put_from_url ? 201 : 202, info);
  if (kind == Kind::put_from_url) {
    if (const auto md5 = value_of(info.headers, "Content-MD5"); !md5.empty())
      response.header("Content-MD5", std::string(md5));
    response.header("x-ms-request-server-encrypted", "false");
  } else {
    response.header("x-ms-copy-id", std::string(value_of(info.copy, "id")))
        .header("x-ms-copy-status", std::string(value_of(info.copy, "status")));
  }
  return response;
}

// The whole of what will be copied against the checksums that the request names for it.
Task<Result<void>> check_source_sums(Call& call, BlobKey source, Conditions& conditions) {
  http::Request sums;
  for (const auto& [from, to] : kSourceSums) {
    if (const auto sum = call.request.headers.get(from)) sums.headers.set(to, std::string(*sum));
  }
  if (sums.headers.empty()) co_return Result<void>();
  const Conditions none;
  CO_TRY(const OpenBlob open, co_await call.blobs.open_blob(std::move(source), none));
  store::ContentSource bytes(open.content, 0, open.info.size);
  Hasher md5(HashKind::md5);
  Crc64 crc;
  std::vector<std::byte> piece(256 << 10);
  for (;;) {
    CO_TRY(const size_t count, co_await bytes.read(piece));
    if (count == 0) break;
    md5.update(ByteView(piece.data(), count));
    crc.update(ByteView(piece.data(), count));
  }
  CO_TRY_VOID(check_sums(sums, "Content-MD5", md5.finish(), crc.value()));
  conditions.if_match = open.info.etag;  // what was looked at is what is copied
  co_return Result<void>();
}

// From here on the source must stay what it was.
Answer begin_copy(Call& call, SourceRequest request, FetchedSource source, NewBlob wanted,
                  Conditions conditions) {
  if (source.size > kBlockBlobLimit)
    co_return fail(Code::too_large, "body_too_large",
                   "The source is too large; the limit is " + format_size(kBlockBlobLimit));
  for (const auto& [name, sent] : kSourceConditions) request.headers.erase(sent);
  CopySource from;
  from.request = std::move(request);
  from.shown = source_shown(call.request);
  from.etag = trim(source.headers.get_or("ETag", ""));
  from.modified = trim(source.headers.get_or("Last-Modified", ""));
  from.size = source.size;
  for (const auto& [name, sum] : kSourceSums) {
    if (const auto value = call.request.headers.get(name)) from.sums.emplace_back(sum, *value);
  }
  source.body.reset();
  CO_TRY(const Info info, co_await call.copies->start(call.key(), std::move(from),
                                                      std::move(wanted), std::move(conditions)));
  co_return copied(Kind::copy, info);
}

Answer copy_from_elsewhere(Call& call, Kind kind, NewBlob wanted, Conditions conditions) {
  CO_TRY_VOID(co_await call.blobs.may_replace(call.key(), conditions));
  CO_TRY(SourceRequest request, source_elsewhere(call.request));
  if (request.range)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "x-ms-source-range: a blob is copied as a whole");
  SourceRequest again = request;
  CO_TRY(FetchedSource source, co_await open_elsewhere(call, std::move(request)));
  Pairs headers, metadata;
  describe(source.headers, headers, metadata);
  if (kind == Kind::copy) {
    if (wanted.headers.empty()) wanted.headers = std::move(headers);
    if (wanted.metadata.empty()) wanted.metadata = std::move(metadata);
    co_return co_await begin_copy(call, std::move(again), std::move(source), std::move(wanted),
                                  std::move(conditions));
  }
  take_as_body(call.request, std::move(source.body), source.size);
  CO_TRY(Received received, co_await receive(call, kPutBlobLimit, "Content-MD5"));
  if (kind == Kind::put_from_url) {
    CO_TRY(headers, merged_headers(call.request, headers));
  } else {
    wanted.copy = done_copy(call, received.content.size);
  }
  std::erase_if(headers, [](const auto& pair) { return pair.first == "Content-MD5"; });
  headers.emplace_back("Content-MD5", base64(as_bytes(received.md5)));
  wanted.headers = std::move(headers);
  if (wanted.metadata.empty()) wanted.metadata = std::move(metadata);
  CO_TRY(const Info info, co_await call.blobs.put_blob(call.key(), std::move(received.content),
                                                       std::move(wanted), conditions));
  co_return copied(kind, info);
}

// The pages of a page blob become bytes of a block blob: these are copied, holes as zeroes.
Answer put_pages(Call& call, Info there, NewBlob wanted, Conditions conditions) {
  CO_TRY_VOID(co_await call.blobs.may_replace(call.key(), conditions));
  CO_TRY_VOID(co_await take_source_as_body(call));
  CO_TRY(Received received, co_await receive(call, kPutBlobLimit, "Content-MD5"));
  CO_TRY(wanted.headers, merged_headers(call.request, there.headers));
  std::erase_if(wanted.headers, [](const auto& pair) { return pair.first == "Content-MD5"; });
  wanted.headers.emplace_back("Content-MD5", base64(as_bytes(received.md5)));
  if (wanted.metadata.empty()) wanted.metadata = there.metadata;
  CO_TRY(const Info info, co_await call.blobs.put_blob(call.key(), std::move(received.content),
                                                       std::move(wanted), conditions));
  co_return copied(Kind::put_from_url, info);
}

}  // namespace

Answer copy_blob(Call& call) {
  const http::Request& request = call.request;
  CO_TRY_VOID(check_blob_name(call.address.blob));
  CO_TRY(const Kind kind, kind_of(request));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(Conditions source_conditions, source_conditions_of(request));
  CO_TRY(const bool with_tags, takes_tags(request));
  NewBlob wanted;
  CO_TRY(wanted.metadata, metadata_of(request));
  CO_TRY(wanted.tags, tags_of(request));
  CO_TRY(wanted.tier, tier_of(request));
  CO_TRY_VOID(retention_of(call, wanted));
  CO_TRY(const std::optional<BlobKey> source, co_await source_here(call));
  if (!source) co_return co_await copy_from_elsewhere(call, kind, std::move(wanted), conditions);
  CO_TRY(const Info there, co_await info_of_source(call, *source));
  if (with_tags) wanted.tags = there.tags;
  if (kind == Kind::put_from_url) {
    if (there.type == BlobType::page)
      co_return co_await put_pages(call, there, std::move(wanted), conditions);
    CO_TRY(wanted.headers, merged_headers(request, there.headers));
  } else {
    wanted.copy = done_copy(call, there.size);
  }
  if (kind == Kind::copy) {
    CO_TRY(const bool high, high_priority_of(request));
    wanted.from_archive = high ? NewBlob::high : NewBlob::standard;
  }
  CO_TRY_VOID(co_await check_source_sums(call, *source, source_conditions));
  CO_TRY(const Info info, co_await call.blobs.copy_blob(call.key(), *source, std::move(wanted),
                                                        conditions, source_conditions));
  co_return copied(kind, info);
}

Answer abort_copy(Call& call) {
  if (call.request.headers.get_or("x-ms-copy-action", "") != "abort")
    co_return fail(Code::invalid_argument, "invalid_header", "x-ms-copy-action must be abort");
  const std::string id(call.request.query_value("copyid").value_or(""));
  if (id.empty()) co_return fail(Code::invalid_argument, "missing_query", "copyid is required");
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  if (call.copies == nullptr) {
    CO_TRY_VOID(co_await call.blobs.blob(call.key(), conditions));
    co_return fail(Code::conflict, "no_pending_copy",
                   "There is currently no pending copy operation.");
  }
  CO_TRY_VOID(co_await call.copies->abort(call.key(), id, conditions));
  co_return http::Response(204);
}

}  // namespace holdfast::blob
