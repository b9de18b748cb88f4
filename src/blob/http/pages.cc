#include "blob/pages.h"

#include "blob/http/body.h"
#include "blob/http/copy.h"
#include "blob/http/history.h"
#include "blob/http/lists.h"
#include "blob/http/operations.h"
#include "blob/http/pages.h"
#include "blob/http/retention.h"
#include "blob/http/xml_text.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kPutPageLimit = 4 << 20;

Result<std::optional<int64_t>> sequence_in(const http::Request& request, std::string_view name) {
  const auto header = request.headers.get(name);
  if (!header) return std::nullopt;
  const auto number = parse_u64(trim(*header));
  if (!number || *number > INT64_MAX)
    return fail(Code::invalid_argument, "invalid_header",
                std::string(name) + " must be a number from 0 to 2^63 - 1");
  return static_cast<int64_t>(*number);
}

Result<std::optional<uint64_t>> size_in(const http::Request& request) {
  const auto header = request.headers.get("x-ms-blob-content-length");
  if (!header) return std::nullopt;
  const auto size = parse_u64(trim(*header));
  if (!size || *size % kPage != 0 || *size > kPageBlobLimit)
    return fail(Code::invalid_argument, "invalid_header",
                "x-ms-blob-content-length must be a multiple of 512 bytes, at most 8 TiB");
  return *size;
}

Result<PageConditions> page_conditions_of(const http::Request& request) {
  PageConditions conditions;
  TRY(conditions.at_most, sequence_in(request, "x-ms-if-sequence-number-le"));
  TRY(conditions.below, sequence_in(request, "x-ms-if-sequence-number-lt"));
  TRY(conditions.equal, sequence_in(request, "x-ms-if-sequence-number-eq"));
  return conditions;
}

// Whole pages, from the first to the last byte.
Result<Range> pages_of(const http::Request& request) {
  if (!request.headers.get("x-ms-range") && !request.headers.get("Range"))
    return fail(Code::invalid_argument, "missing_header",
                "An HTTP header that's mandatory for this request is not specified: Range.");
  const auto range = range_of(request);
  if (!range || range->last == UINT64_MAX || range->first % kPage != 0 ||
      (range->last + 1) % kPage != 0)
    return fail(Code::invalid_argument, "invalid_page_range",
                "The page range specified is invalid: it is whole pages of 512 bytes.");
  return *range;
}

http::Response pages_written(const Info& info) {
  http::Response response = written(201, info);
  response.header("x-ms-blob-sequence-number", std::to_string(info.sequence))
      .header("x-ms-request-server-encrypted", "false");
  return response;
}

}  // namespace

Answer put_page_blob(Call& call) {
  const http::Request& request = call.request;
  if (request.content_length.value_or(1) != 0)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "Content-Length: a page blob is made of zeroes");
  if (request.headers.get("x-ms-access-tier"))
    co_return fail(Code::invalid_argument, "tier_not_for_type",
                   "The access tier is not supported for this blob type.");
  CO_TRY(const auto size, size_in(request));
  if (!size)
    co_return fail(Code::invalid_argument, "missing_header",
                   "An HTTP header that's mandatory for this request is not specified: "
                   "x-ms-blob-content-length.");
  NewBlob wanted;
  wanted.type = BlobType::page;
  CO_TRY(const auto sequence, sequence_in(request, "x-ms-blob-sequence-number"));
  wanted.sequence = sequence.value_or(0);
  CO_TRY(wanted.metadata, metadata_of(request));
  CO_TRY(wanted.tags, tags_of(request));
  CO_TRY_VOID(retention_of(call, wanted));
  CO_TRY(wanted.headers, blob_headers_of(request, true));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  PageBlobs pages(call.blobs);
  CO_TRY(const Info info, co_await pages.create(call.key(), *size, std::move(wanted), conditions));
  http::Response response = written(201, info);
  response.header("x-ms-request-server-encrypted", "false");
  co_return response;
}

Answer put_page(Call& call) {
  const http::Request& request = call.request;
  const std::string_view action = request.headers.get_or("x-ms-page-write", "");
  if (!equal_ignore_case(action, "update") && !equal_ignore_case(action, "clear"))
    co_return fail(Code::invalid_argument, action.empty() ? "missing_header" : "invalid_header",
                   "x-ms-page-write must be update or clear");
  CO_TRY(const Range range, pages_of(request));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(const PageConditions sequence, page_conditions_of(request));
  PageBlobs pages(call.blobs);
  if (equal_ignore_case(action, "clear")) {
    if (request.content_length.value_or(0) != 0)
      co_return fail(Code::invalid_argument, "invalid_header",
                     "Content-Length: what clears pages has no body");
    CO_TRY(const Info info,
           co_await pages.write(call.key(), range, std::nullopt, conditions, sequence));
    co_return pages_written(info);
  }
  if (range.last - range.first >= kPutPageLimit)
    co_return fail(Code::too_large, "body_too_large",
                   "The request body is too large; the limit is " + format_size(kPutPageLimit));
  if (request.headers.get("x-ms-copy-source")) {
    CO_TRY_VOID(co_await take_source_as_body(call));
  }
  const uint64_t size = range.last - range.first + 1;
  const Error other_size(Code::invalid_argument, "invalid_page_range",
                         "The page range specified is invalid: the body has another size.");
  if (request.content_length.value_or(size) != size) co_return std::unexpected(other_size);
  CO_TRY(Received received, co_await receive(call, kPutPageLimit, "Content-MD5"));
  if (received.content.size != size) co_return std::unexpected(other_size);
  CO_TRY(const Info info, co_await pages.write(call.key(), range, std::move(received.content),
                                               conditions, sequence));
  http::Response response = pages_written(info);
  add_checksum(response, received);
  co_return response;
}

namespace {

// The snapshot against which ranges are asked for: its time, or the URL of it, which is one of the
// same blob.
Result<std::optional<WallTime>> previous_of(const Call& call) {
  http::Request named;
  if (const auto time = call.request.query_value("prevsnapshot")) {
    named.query.emplace_back("snapshot", *time);
  } else if (const auto url = call.request.headers.get("x-ms-previous-snapshot-url")) {
    const Error bad(Code::invalid_argument, "invalid_header",
                    "x-ms-previous-snapshot-url must be the URL of a snapshot of this blob");
    const size_t scheme = url->find("://"), mark = url->find("?snapshot=");
    const size_t slash = scheme == std::string_view::npos ? scheme : url->find('/', scheme + 3);
    if (slash == std::string_view::npos || mark == std::string_view::npos || mark < slash)
      return std::unexpected(bad);
    named.headers.set("Host", std::string(url->substr(scheme + 3, slash - scheme - 3)));
    named.path = named.target = std::string(url->substr(slash, mark - slash));
    const std::string_view rest = url->substr(mark + std::string_view("?snapshot=").size());
    const auto at = percent_decode(rest.substr(0, rest.find('&')));
    const auto address = address_of(named);
    if (!at || !address || address->account != call.address.account ||
        address->container != call.address.container || address->blob != call.address.blob)
      return std::unexpected(bad);
    named.query.emplace_back("snapshot", *at);
  } else {
    return std::nullopt;
  }
  TRY(const BlobKey key, addressed(named, call.address));
  return key.snapshot;
}

}  // namespace

Answer get_page_ranges(Call& call) {
  const http::Request& request = call.request;
  CO_TRY(const std::optional<WallTime> since, previous_of(call));
  CO_TRY(BlobKey key, addressed(request, call.address));
  CO_TRY(const ListQuery list, list_query_of(request));
  Range range = range_of(request).value_or(Range());
  range.first -= range.first % kPage;
  if (range.last != UINT64_MAX) range.last |= kPage - 1;
  if (!list.marker.empty()) {
    const auto next = parse_u64(list.marker);
    if (!next || *next % kPage != 0)
      co_return fail(Code::invalid_argument, "invalid_query",
                     "the marker is not one of this server");
    range.first = std::max(range.first, *next);
  }
  CO_TRY(const Conditions conditions, conditions_of(call, Use::read));
  PageBlobs pages(call.blobs);
  // Without a limit of the caller's, all there are.
  const size_t limit = request.query_value("maxresults") ? list.limit : SIZE_MAX;
  CO_TRY(const PageRanges found,
         co_await pages.ranges(std::move(key), range, limit, conditions, since));
  std::string body = "<?xml version=\"1.0\" encoding=\"utf-8\"?><PageList>";
  for (const auto& stretch : found.written.items)
    body += (stretch.cleared ? "<ClearRange>" : "<PageRange>") +
            element("Start", std::to_string(stretch.first)) +
            element("End", std::to_string(stretch.first + stretch.size - 1)) +
            (stretch.cleared ? "</ClearRange>" : "</PageRange>");
  const auto& more = found.written.more;
  body += next_marker_element(more ? std::to_string(*more) : std::string()) + "</PageList>";
  http::Response response(200, "application/xml", std::move(body));
  response.header("ETag", "\"" + etag_text(found.info.etag) + "\"")
      .header("Last-Modified", format_http_date(found.info.modified))
      .header("x-ms-blob-content-length", std::to_string(found.info.size));
  co_return response;
}

bool changes_pages(const http::Request& request) {
  return request.headers.get("x-ms-blob-content-length") ||
         request.headers.get("x-ms-sequence-number-action") ||
         request.headers.get("x-ms-blob-sequence-number");
}

Answer set_page_properties(Call& call) {
  const http::Request& request = call.request;
  PageChange change;
  CO_TRY(change.size, size_in(request));
  CO_TRY(const auto number, sequence_in(request, "x-ms-blob-sequence-number"));
  const std::string_view action = request.headers.get_or("x-ms-sequence-number-action", "");
  if (equal_ignore_case(action, "max"))
    change.action = PageChange::max;
  else if (equal_ignore_case(action, "update"))
    change.action = PageChange::update;
  else if (equal_ignore_case(action, "increment"))
    change.action = PageChange::increment;
  else if (!action.empty() || number)
    co_return fail(Code::invalid_argument, action.empty() ? "missing_header" : "invalid_header",
                   "x-ms-sequence-number-action must be max, update or increment");
  const bool needs = change.action == PageChange::max || change.action == PageChange::update;
  if (needs != number.has_value())
    co_return fail(Code::invalid_argument, needs ? "missing_header" : "invalid_header",
                   needs ? "x-ms-blob-sequence-number is required"
                         : "x-ms-blob-sequence-number: an increment takes none");
  change.sequence = number.value_or(0);
  // A request about the pages alone says nothing about the rest.
  for (const char* name :
       {"x-ms-blob-content-type", "x-ms-blob-content-encoding", "x-ms-blob-content-language",
        "x-ms-blob-content-disposition", "x-ms-blob-cache-control", "x-ms-blob-content-md5"}) {
    if (request.headers.get(name) && !change.headers) {
      CO_TRY(change.headers, blob_headers_of(request, false));
    }
  }
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  PageBlobs pages(call.blobs);
  CO_TRY(const Info info, co_await pages.change(call.key(), std::move(change), conditions));
  http::Response response = written(200, info);
  response.header("x-ms-blob-sequence-number", std::to_string(info.sequence));
  co_return response;
}

}  // namespace holdfast::blob
