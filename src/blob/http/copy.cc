// Copies within this server. A source is an address of this server, read with the caller's own
// rights or those in its query; nothing is ever fetched from elsewhere.
#include <algorithm>

#include "base/digest.h"
#include "blob/http/copy.h"
#include "blob/http/history.h"
#include "blob/http/operations.h"
#include "blob/http/retention.h"
#include "store/objects/content_body.h"

namespace holdfast::blob {
namespace {

constexpr const char* kBadRange =
    "The range specified is invalid for the current size of the resource.";

std::unexpected<Error> refused_source(std::string why) {
  return fail(Code::denied, "source_denied", std::move(why));
}

// The request that would read the source.
Result<http::Request> source_request(const http::Request& request) {
  const std::string_view url = trim(request.headers.get_or("x-ms-copy-source", ""));
  const size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  const size_t slash = url.find('/', scheme);
  if (scheme == 0 || slash == std::string_view::npos || url.size() > 8192)
    return fail(Code::invalid_argument, "invalid_header",
                "x-ms-copy-source must be the URL of a blob");
  const std::string host = lower(url.substr(scheme, slash - scheme));
  if (host != lower(request.headers.get_or("Host", "")))
    return refused_source("a source is a blob of this server; '" + host + "' is another");
  http::Request source;
  source.method = "GET";
  source.target = url.substr(slash);
  const size_t mark = source.target.find('?');
  source.path = source.target.substr(0, mark);
  if (mark != std::string::npos) {
    for (const auto pair : split(std::string_view(source.target).substr(mark + 1), '&')) {
      const size_t equals = pair.find('=');
      const auto name = percent_decode(pair.substr(0, equals));
      const auto value = equals == std::string_view::npos ? Result<std::string>("")
                                                          : percent_decode(pair.substr(equals + 1));
      if (!name || !value)
        return fail(Code::invalid_argument, "invalid_header",
                    "x-ms-copy-source holds a broken %-escape");
      source.query.emplace_back(*name, *value);
    }
  }
  source.headers.set("Host", host);
  if (const auto tags = request.headers.get("x-ms-source-if-tags"))
    source.headers.set("x-ms-if-tags", std::string(*tags));
  source.peer = request.peer;
  source.tls = request.tls;
  source.id = request.id;
  source.body = std::make_unique<MemorySource>("");
  return source;
}

// The source, once it is clear that the caller may read it.
Task<Result<BlobKey>> permitted_source(Call& call) {
  CO_TRY(http::Request request, source_request(call.request));
  CO_TRY(Address address, address_of(request));
  Call source(request, std::move(address), call.blobs);
  const auto permitted = co_await call.may_read_source(source);
  if (!permitted) {
    const Code code = permitted.error().code();
    if (code == Code::denied || code == Code::unauthenticated)
      co_return refused_source(permitted.error().message());
    co_return std::unexpected(permitted.error());
  }
  co_return addressed(request, source.address);
}

// The source's bytes in place of the request's own body, which the connection still knows.
class SourceBody final : public ByteSource {
 public:
  SourceBody(std::unique_ptr<ByteSource> own, std::shared_ptr<store::OpenContent> content,
             uint64_t first, uint64_t size)
      : own_(std::move(own)), source_(std::move(content), first, size) {}
  Task<Result<size_t>> read(std::span<std::byte> into) override { return source_.read(into); }

 private:
  std::unique_ptr<ByteSource> own_;
  store::ContentSource source_;
};

std::string without_query(std::string_view url) {
  return std::string(url.substr(0, url.find('?')));
}

}  // namespace

Answer copy_blob(Call& call) {
  const http::Request& request = call.request;
  CO_TRY_VOID(check_blob_name(call.address.blob));
  const bool from_url = request.headers.get("x-ms-blob-type").has_value();
  if (from_url && request.headers.get_or("x-ms-blob-type", "") != "BlockBlob")
    co_return fail(Code::invalid_argument, "invalid_header",
                   "Put Blob From URL makes block blobs alone");
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(const Conditions source_conditions, source_conditions_of(request));
  NewBlob wanted;
  CO_TRY(wanted.metadata, metadata_of(request));
  CO_TRY(wanted.tags, tags_of(request));
  CO_TRY(wanted.tier, tier_of(request));
  CO_TRY_VOID(retention_of(call, wanted));
  CO_TRY(BlobKey source, co_await permitted_source(call));
  const std::string url = without_query(request.headers.get_or("x-ms-copy-source", ""));
  CO_TRY(const Info there, co_await info_of_source(call, source));
  if (from_url && there.type == BlobType::page)
    co_return fail(Code::conflict, "invalid_blob_type",
                   "Put Blob From URL makes block blobs alone; its source is a page blob");
  if (!from_url) {
    const std::string size = std::to_string(there.size);
    wanted.copy = {{"id", random_uuid()},
                   {"source", url},
                   {"status", "success"},
                   {"progress", size + "/" + size},
                   {"completed", format_http_date(call.blobs.clock().now())}};
  }
  const Pairs copy = wanted.copy;
  CO_TRY(const Info info,
         co_await call.blobs.copy_blob(call.key(), std::move(source), std::move(wanted), conditions,
                                       source_conditions));
  http::Response response = written(from_url ? 201 : 202, info);
  if (from_url) {
    if (const auto md5 = value_of(info.headers, "Content-MD5"); !md5.empty())
      response.header("Content-MD5", std::string(md5));
    response.header("x-ms-request-server-encrypted", "false");
  } else {
    response.header("x-ms-copy-id", std::string(value_of(copy, "id")))
        .header("x-ms-copy-status", "success");
  }
  co_return response;
}

Task<Result<Info>> info_of_source(Call& call, BlobKey source) {
  const Conditions none;
  auto there = co_await call.blobs.blob(std::move(source), none);
  if (!there && there.error().code() == Code::not_found)
    co_return fail(Code::not_found, "copy_source_not_found", "The specified blob does not exist.");
  co_return there;
}

Task<Result<void>> take_source_as_body(Call& call) {
  http::Request& request = call.request;
  if (request.content_length.value_or(0) != 0)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "Content-Length: what comes from a URL has no body");
  CO_TRY(const Conditions conditions, source_conditions_of(request));
  CO_TRY(BlobKey source, co_await permitted_source(call));
  std::optional<Range> range;
  if (const auto header = request.headers.get("x-ms-source-range")) {
    http::Request ranged;
    ranged.headers.set("x-ms-range", std::string(*header));
    range = range_of(ranged);
    if (!range) co_return fail(Code::invalid_argument, "invalid_range", kBadRange);
  }
  auto open = co_await call.blobs.open_blob(std::move(source), conditions, range.value_or(Range()));
  if (!open && open.error().code() == Code::not_found)
    co_return fail(Code::not_found, "copy_source_not_found", "The specified blob does not exist.");
  if (!open && open.error().code() == Code::precondition_failed)
    co_return fail(Code::precondition_failed, "source_condition_not_met",
                   "The source condition specified using HTTP conditional header(s) is not met.");
  if (!open) co_return std::unexpected(open.error());
  uint64_t first = 0, size = open->info.size;
  if (range) {
    if (range->first >= size) co_return fail(Code::invalid_argument, "invalid_range", kBadRange);
    first = range->first;
    size = std::min(range->last, size - 1) - first + 1;
  }
  request.body = std::make_unique<SourceBody>(std::move(request.body), open->content, first, size);
  request.content_length = size;
  for (const auto& [from, to] : {std::pair("x-ms-source-content-md5", "Content-MD5"),
                                 std::pair("x-ms-source-content-crc64", "x-ms-content-crc64")}) {
    if (const auto sum = request.headers.get(from)) request.headers.set(to, std::string(*sum));
  }
  co_return Result<void>();
}

// A copy is done when it is answered: there is never one to abort.
Answer abort_copy(Call& call) {
  if (call.request.headers.get_or("x-ms-copy-action", "") != "abort")
    co_return fail(Code::invalid_argument, "invalid_header", "x-ms-copy-action must be abort");
  CO_TRY(const Conditions conditions, conditions_of(call, Use::read));
  CO_TRY_VOID(co_await call.blobs.blob(call.key(), conditions));
  co_return fail(Code::conflict, "no_pending_copy",
                 "There is currently no pending copy operation.");
}

}  // namespace holdfast::blob
