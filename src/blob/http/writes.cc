#include <algorithm>

#include "base/crc64.h"
#include "base/digest.h"
#include "blob/http/body.h"
#include "blob/http/copy.h"
#include "blob/http/operations.h"
#include "blob/http/pages.h"
#include "blob/http/retention.h"
#include "blob/http/xml.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kBlockLimit = 4000ull << 20, kXmlLimit = 8ull << 20;
constexpr uint64_t kLarge = 256 << 10;  // from here on, what is refused is so before the body

http::Response block_put(const Received& received) {
  http::Response response(201);
  response.header("x-ms-request-server-encrypted", "false");
  add_checksum(response, received);
  return response;
}

}  // namespace

Answer put_blob(Call& call) {
  CO_TRY_VOID(check_blob_name(call.address.blob));
  const std::string_view type = call.request.headers.get_or("x-ms-blob-type", "");
  if (call.request.headers.get("x-ms-copy-source")) co_return co_await copy_blob(call);
  if (type.empty())
    co_return fail(
        Code::invalid_argument, "missing_header",
        "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type.");
  const bool append = type == "AppendBlob";
  if (type == "PageBlob") co_return co_await put_page_blob(call);
  if (type != "BlockBlob" && !append)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "x-ms-blob-type is BlockBlob, AppendBlob or PageBlob");
  if (append && call.request.content_length.value_or(1) != 0)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "Content-Length: an append blob is made empty");
  NewBlob wanted;
  if (append) wanted.type = BlobType::append;
  CO_TRY(wanted.metadata, metadata_of(call.request));
  CO_TRY(wanted.tags, tags_of(call.request));
  CO_TRY(wanted.tier, tier_of(call.request));
  CO_TRY_VOID(retention_of(call, wanted));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(wanted.headers, blob_headers_of(call.request, true));
  // What would be refused is said before a large body has travelled.
  if (call.request.content_length.value_or(UINT64_MAX) > kLarge)
    CO_TRY_VOID(co_await call.blobs.may_replace(call.key(), conditions));
  const bool own_md5 = call.request.headers.get("x-ms-blob-content-md5").has_value();
  CO_TRY(Received received,
         co_await receive(call, kPutBlobLimit, own_md5 ? "x-ms-blob-content-md5" : "Content-MD5"));
  std::erase_if(wanted.headers, [](const auto& pair) { return pair.first == "Content-MD5"; });
  if (!append) wanted.headers.emplace_back("Content-MD5", base64(as_bytes(received.md5)));
  CO_TRY(const Info info, co_await call.blobs.put_blob(call.key(), std::move(received.content),
                                                       std::move(wanted), conditions));
  http::Response response = written(201, info);
  response.header("Content-MD5", base64(as_bytes(received.md5)))
      .header("x-ms-request-server-encrypted", "false");
  co_return response;
}

Answer put_block(Call& call) {
  CO_TRY_VOID(check_blob_name(call.address.blob));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  std::string id(call.request.query_value("blockid").value_or(""));
  std::ranges::replace(id, ' ', '+');  // a client that sent base64 as it is
  const auto raw = from_base64(id);
  if (!raw || raw->empty() || raw->size() > 64)
    co_return fail(Code::invalid_argument, "invalid_query",
                   "blockid must be base64 of 1 to 64 bytes");
  if (call.request.headers.get("x-ms-copy-source")) {
    CO_TRY(const auto shared, co_await share_source(call, id, conditions));
    if (shared) co_return block_put(*shared);
    CO_TRY_VOID(co_await take_source_as_body(call));
  }
  if (call.request.content_length.value_or(UINT64_MAX) > kLarge)
    CO_TRY_VOID(co_await call.blobs.container(call.address.account, call.address.container));
  CO_TRY(Received received, co_await receive(call, kBlockLimit, "Content-MD5"));
  CO_TRY_VOID(
      co_await call.blobs.put_block(call.key(), id, std::move(received.content), conditions));
  co_return block_put(received);
}

Answer put_block_list(Call& call) {
  CO_TRY_VOID(check_blob_name(call.address.blob));
  NewBlob wanted;
  CO_TRY(wanted.metadata, metadata_of(call.request));
  CO_TRY(wanted.tags, tags_of(call.request));
  CO_TRY(wanted.tier, tier_of(call.request));
  CO_TRY_VOID(retention_of(call, wanted));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(wanted.headers, blob_headers_of(call.request, false));
  if (call.request.content_length.value_or(0) > kXmlLimit)
    co_return fail(Code::too_large, "body_too_large",
                   "The request body is too large; the limit is " + format_size(kXmlLimit));
  CO_TRY(const std::string body, co_await read_all(*call.request.body, kXmlLimit));
  CO_TRY_VOID(check_sums(call.request, "Content-MD5", hash(HashKind::md5, as_bytes(body)),
                         Crc64::of(as_bytes(body))));
  CO_TRY(std::vector<BlockRef> blocks, parse_block_list(body));
  CO_TRY(const Info info, co_await call.blobs.put_block_list(call.key(), std::move(blocks),
                                                             std::move(wanted), conditions));
  http::Response response = written(201, info);
  response.header("x-ms-content-crc64", crc64_text(Crc64::of(as_bytes(body))))
      .header("x-ms-request-server-encrypted", "false");
  co_return response;
}

}  // namespace holdfast::blob
