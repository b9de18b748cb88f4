// Where a source lies, and its bytes. One of this server is read with the caller's own rights or
// those in its query, without a connection; all others are fetched, as far as the owner allows.
#include <algorithm>
#include <utility>

#include "blob/http/address.h"
#include "blob/http/copy.h"
#include "blob/http/endpoint.h"
#include "blob/http/history.h"
#include "store/objects/content_body.h"

namespace holdfast::blob {
namespace {

constexpr const char* kBadRange =
    "The range specified is invalid for the current size of the resource.";

struct SourceUrl {
  std::string host, target;
};
Result<SourceUrl> source_url(const http::Request& request) {
  const std::string_view url = trim(request.headers.get_or("x-ms-copy-source", ""));
  const size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  const size_t slash = url.find('/', scheme);
  if (scheme == 0 || slash == std::string_view::npos || slash == scheme || url.size() > 8192)
    return fail(Code::invalid_argument, "invalid_header",
                "x-ms-copy-source must be the URL of a blob");
  return SourceUrl{lower(url.substr(scheme, slash - scheme)), std::string(url.substr(slash))};
}

std::unexpected<Error> refused_source(std::string why) {
  return fail(Code::denied, "source_denied", std::move(why));
}

// The request that would read the source.
Result<http::Request> source_request(const http::Request& request, const SourceUrl& url) {
  http::Request source;
  source.method = "GET";
  source.target = url.target;
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
  source.headers.set("Host", url.host);
  if (const auto own = request.headers.get("x-ms-copy-source-authorization"))
    source.headers.set("Authorization", std::string(*own));
  // Who asks about the tags, or takes them along, needs the right to see them.
  if (const auto tags = request.headers.get("x-ms-source-if-tags"))
    source.headers.set("x-ms-if-tags", std::string(*tags));
  if (equal_ignore_case(request.headers.get_or("x-ms-copy-source-tag-option", ""), "COPY"))
    source.headers.set("x-ms-if-tags", "");
  source.peer = request.peer;
  source.tls = request.tls;
  source.id = request.id;
  source.body = std::make_unique<MemorySource>("");
  return source;
}

// The source's bytes in place of the request's own body, which the connection still knows.
class BodyInPlace final : public ByteSource {
 public:
  BodyInPlace(std::unique_ptr<ByteSource> own, std::unique_ptr<ByteSource> source)
      : own_(std::move(own)), source_(std::move(source)) {}
  Task<Result<size_t>> read(std::span<std::byte> into) override { return source_->read(into); }

 private:
  std::unique_ptr<ByteSource> own_, source_;
};

Task<Result<void>> open_here(Call& call, BlobKey source) {
  http::Request& request = call.request;
  CO_TRY(const Conditions conditions, source_conditions_of(request));
  CO_TRY(const std::optional<Range> range, source_range_of(request));
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
  take_as_body(request, std::make_unique<store::ContentSource>(open->content, first, size), size);
  co_return Result<void>();
}

}  // namespace

Result<std::optional<Range>> source_range_of(const http::Request& request) {
  const auto header = request.headers.get("x-ms-source-range");
  if (!header) return std::nullopt;
  http::Request ranged;
  ranged.headers.set("x-ms-range", std::string(*header));
  const auto range = range_of(ranged);
  if (!range) return fail(Code::invalid_argument, "invalid_range", kBadRange);
  return range;
}

Task<Result<std::optional<BlobKey>>> source_here(Call& call) {
  CO_TRY(const SourceUrl url, source_url(call.request));
  CO_TRY(http::Request request, source_request(call.request, url));
  const bool outside = call.endpoint->is_at(url.host);
  if (outside ? !call.endpoint->take_off(request) : !same_server(call.request, url.host))
    co_return std::nullopt;
  CO_TRY(Address address, address_of(request));
  Call source(request, std::move(address), call.blobs);
  const auto permitted = co_await call.may_read_source(source);
  if (!permitted) {
    const Code code = permitted.error().code();
    if (code == Code::denied || code == Code::unauthenticated)
      co_return refused_source(permitted.error().message());
    co_return std::unexpected(permitted.error());
  }
  CO_TRY(BlobKey key, addressed(request, source.address));
  co_return std::optional<BlobKey>(std::move(key));
}

Task<Result<Info>> info_of_source(Call& call, BlobKey source) {
  const Conditions none;
  auto there = co_await call.blobs.blob(std::move(source), none);
  if (!there && there.error().code() == Code::not_found)
    co_return fail(Code::not_found, "copy_source_not_found", "The specified blob does not exist.");
  co_return there;
}

Result<SourceRequest> source_elsewhere(const http::Request& request) {
  SourceRequest wanted;
  wanted.url = trim(request.headers.get_or("x-ms-copy-source", ""));
  TRY(wanted.range, source_range_of(request));
  TRY_VOID(source_conditions_of(request));  // of the right form at all
  if (request.headers.get("x-ms-source-if-tags") ||
      equal_ignore_case(request.headers.get_or("x-ms-copy-source-tag-option", ""), "COPY"))
    return fail(Code::unsupported, "the tags of a source on another server are not known");
  for (const auto& [name, sent] : kSourceConditions) {
    if (const auto value = request.headers.get(name)) wanted.headers.set(sent, std::string(*value));
  }
  if (const auto own = request.headers.get("x-ms-copy-source-authorization"))
    wanted.headers.set("Authorization", std::string(*own));
  wanted.headers.set("x-ms-version",
                     std::string(request.headers.get_or("x-ms-version", "2021-12-02")));
  return wanted;
}

Task<Result<FetchedSource>> open_elsewhere(Call& call, SourceRequest wanted) {
  if (call.sources == nullptr)
    co_return refused_source(
        "a source is a blob of this server; nothing is fetched from elsewhere");
  co_return co_await call.sources->open(std::move(wanted));
}

void describe(const http::Headers& answer, Pairs& headers, Pairs& metadata) {
  http::Request said;
  for (const char* name : {"Content-Type", "Content-Encoding", "Content-Language",
                           "Content-Disposition", "Cache-Control"}) {
    if (const auto value = answer.get(name)) said.headers.set(name, std::string(*value));
  }
  for (const auto& [name, value] : answer) {
    if (name.size() > 10 && equal_ignore_case(name.substr(0, 10), "x-ms-meta-"))
      said.headers.set(name, value);
  }
  headers =
      blob_headers_of(said, true).value_or(Pairs{{"Content-Type", "application/octet-stream"}});
  metadata = metadata_of(said).value_or(Pairs());
}

void take_as_body(http::Request& request, std::unique_ptr<ByteSource> body, uint64_t size) {
  request.body = std::make_unique<BodyInPlace>(std::move(request.body), std::move(body));
  request.content_length = size;
  request.headers.set("Content-Length", std::to_string(size));
  for (const auto& [from, to] : kSourceSums) {
    if (const auto sum = request.headers.get(from)) request.headers.set(to, std::string(*sum));
  }
}

Task<Result<void>> take_source_as_body(Call& call) {
  http::Request& request = call.request;
  if (request.content_length.value_or(0) != 0)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "Content-Length: what comes from a URL has no body");
  CO_TRY(std::optional<BlobKey> here, co_await source_here(call));
  if (here) co_return co_await open_here(call, std::move(*here));
  CO_TRY(SourceRequest wanted, source_elsewhere(request));
  CO_TRY(FetchedSource source, co_await open_elsewhere(call, std::move(wanted)));
  take_as_body(request, std::move(source.body), source.size);
  co_return Result<void>();
}

std::string source_shown(const http::Request& request) {
  const std::string_view url = trim(request.headers.get_or("x-ms-copy-source", ""));
  return std::string(url.substr(0, url.find('?')));
}

}  // namespace holdfast::blob
