#include <algorithm>

#include "base/digest.h"
#include "blob/crc64.h"
#include "blob/http/operations.h"
#include "blob/http/xml.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kPutBlobLimit = 5000ull << 20, kBlockLimit = 4000ull << 20,
                   kXmlLimit = 8ull << 20;
constexpr size_t kPiece = 256 << 10;

struct Received {
  store::StagedContent content;
  std::string md5;  // raw
  uint64_t crc64 = 0;
  bool crc_asked = false;
};

// The checksums that the request names for its own body. `name` is the MD5 header that counts.
Result<void> check_sums(const http::Request& request, std::string_view name, const std::string& md5,
                        uint64_t crc64) {
  const auto wanted = request.headers.get(name);
  const auto wanted_crc = request.headers.get("x-ms-content-crc64");
  if (wanted && wanted_crc)
    return fail(Code::invalid_argument, "both_checksums", "a request has either an MD5 or a CRC64");
  if (wanted) {
    const auto raw = from_base64(*wanted);
    if (!raw || raw->size() != 16)
      return fail(Code::invalid_argument, "invalid_md5",
                  "The MD5 value specified in the request is invalid. It must be 128 bits and "
                  "base64 encoded.");
    if (*raw != md5)
      return fail(Code::invalid_argument, "md5_mismatch",
                  "The MD5 value specified in the request did not match with the MD5 value "
                  "calculated by the server.");
  }
  if (wanted_crc) {
    const auto raw = from_base64(*wanted_crc);
    if (!raw || raw->size() != 8)
      return fail(Code::invalid_argument, "invalid_header",
                  "x-ms-content-crc64 must be base64 of 8 bytes");
    if (*wanted_crc != crc64_text(crc64))
      return fail(Code::invalid_argument, "crc64_mismatch",
                  "The CRC64 value specified in the request did not match with the CRC64 value "
                  "calculated by the server.");
  }
  return {};
}

// Streams the body into a content, hashing on the way; durable when it returns.
Task<Result<Received>> receive(Call& call, uint64_t limit, std::string_view md5_header) {
  http::Request& request = call.request;
  if (!request.content_length && !request.headers.get("Transfer-Encoding"))
    co_return fail(Code::invalid_argument, "missing_length", "Content-Length is required");
  if (request.content_length.value_or(0) > limit)
    co_return fail(Code::too_large, "body_too_large",
                   "The request body is too large; the limit is " + format_size(limit));
  CO_TRY(auto writer, co_await call.blobs.objects().create(request.content_length));
  Received received;
  received.crc_asked = !request.headers.get("Content-MD5");
  Hasher md5(HashKind::md5);
  Crc64 crc;
  const bool wants_crc = request.headers.get("x-ms-content-crc64").has_value() ||
                         request.query_value("comp").has_value();
  std::vector<std::byte> piece(
      std::min<uint64_t>(kPiece, request.content_length.value_or(kPiece) + 1));
  uint64_t size = 0;
  for (;;) {
    CO_TRY(const size_t count, co_await request.body->read(piece));
    if (count == 0) break;
    size += count;
    if (size > limit)
      co_return fail(Code::too_large, "body_too_large",
                     "The request body is too large; the limit is " + format_size(limit));
    const ByteView bytes(piece.data(), count);
    md5.update(bytes);
    if (wants_crc) crc.update(bytes);
    CO_TRY_VOID(co_await writer->append(bytes));
  }
  received.md5 = md5.finish();
  received.crc64 = crc.value();
  CO_TRY_VOID(check_sums(request, md5_header, received.md5, received.crc64));
  CO_TRY(received.content, co_await writer->finish());
  co_return received;
}

}  // namespace

Answer put_blob(Call& call) {
  CO_TRY_VOID(check_blob_name(call.address.blob));
  const std::string_view type = call.request.headers.get_or("x-ms-blob-type", "");
  if (call.request.headers.get("x-ms-copy-source"))
    co_return fail(Code::unsupported,
                   std::string(type.empty() ? "Copy Blob" : "Put Blob From URL") +
                       " is not offered by this server");
  if (type.empty())
    co_return fail(
        Code::invalid_argument, "missing_header",
        "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type.");
  if (type != "BlockBlob")
    co_return fail(Code::unsupported,
                   "Put Blob of the type " + std::string(type) + " is not offered; BlockBlob is");
  CO_TRY(Pairs metadata, metadata_of(call.request));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(Pairs headers, blob_headers_of(call.request, true));
  // What would be refused is said before a large body has travelled.
  if (call.request.content_length.value_or(UINT64_MAX) > kPiece)
    CO_TRY_VOID(co_await call.blobs.may_replace(call.key(), conditions));
  const bool own_md5 = call.request.headers.get("x-ms-blob-content-md5").has_value();
  CO_TRY(Received received,
         co_await receive(call, kPutBlobLimit, own_md5 ? "x-ms-blob-content-md5" : "Content-MD5"));
  std::erase_if(headers, [](const auto& pair) { return pair.first == "Content-MD5"; });
  headers.emplace_back("Content-MD5", base64(as_bytes(received.md5)));
  CO_TRY(const Info info,
         co_await call.blobs.put_blob(call.key(), std::move(received.content), std::move(headers),
                                      std::move(metadata), conditions));
  http::Response response = written(201, info);
  response.header("Content-MD5", base64(as_bytes(received.md5)))
      .header("x-ms-request-server-encrypted", "false");
  co_return response;
}

Answer put_block(Call& call) {
  CO_TRY_VOID(check_blob_name(call.address.blob));
  if (call.request.headers.get("x-ms-copy-source"))
    co_return fail(Code::unsupported, "Put Block From URL is not offered by this server");
  std::string id(call.request.query_value("blockid").value_or(""));
  std::ranges::replace(id, ' ', '+');  // a client that sent base64 as it is
  const auto raw = from_base64(id);
  if (!raw || raw->empty() || raw->size() > 64)
    co_return fail(Code::invalid_argument, "invalid_query",
                   "blockid must be base64 of 1 to 64 bytes");
  if (call.request.content_length.value_or(UINT64_MAX) > kPiece)
    CO_TRY_VOID(co_await call.blobs.container(call.address.account, call.address.container));
  CO_TRY(Received received, co_await receive(call, kBlockLimit, "Content-MD5"));
  CO_TRY_VOID(co_await call.blobs.put_block(call.key(), id, std::move(received.content)));
  http::Response response(201);
  response.header("x-ms-request-server-encrypted", "false");
  if (received.crc_asked)
    response.header("x-ms-content-crc64", crc64_text(received.crc64));
  else
    response.header("Content-MD5", base64(as_bytes(received.md5)));
  co_return response;
}

Answer put_block_list(Call& call) {
  CO_TRY_VOID(check_blob_name(call.address.blob));
  CO_TRY(Pairs metadata, metadata_of(call.request));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(Pairs headers, blob_headers_of(call.request, false));
  if (call.request.content_length.value_or(0) > kXmlLimit)
    co_return fail(Code::too_large, "body_too_large",
                   "The request body is too large; the limit is " + format_size(kXmlLimit));
  CO_TRY(const std::string body, co_await read_all(*call.request.body, kXmlLimit));
  CO_TRY_VOID(check_sums(call.request, "Content-MD5", hash(HashKind::md5, as_bytes(body)),
                         Crc64::of(as_bytes(body))));
  CO_TRY(std::vector<BlockRef> blocks, parse_block_list(body));
  CO_TRY(const Info info,
         co_await call.blobs.put_block_list(call.key(), std::move(blocks), std::move(headers),
                                            std::move(metadata), conditions));
  http::Response response = written(201, info);
  response.header("x-ms-content-crc64", crc64_text(Crc64::of(as_bytes(body))))
      .header("x-ms-request-server-encrypted", "false");
  co_return response;
}

}  // namespace holdfast::blob
