#include "blob/http/body.h"

#include <algorithm>

#include "base/crc64.h"
#include "base/digest.h"

namespace holdfast::blob {
namespace {

constexpr size_t kPiece = 256 << 10;

}  // namespace

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
  // A whole blob has an MD5 always, a part of one where its sender names one: it is by far the
  // slowest of all that is done to a byte here.
  Hasher md5(HashKind::md5);
  Crc64 crc;
  const bool part = request.query_value("comp").has_value();
  const bool wants_crc = request.headers.get("x-ms-content-crc64").has_value() || part;
  const bool wants_md5 = !part || !received.crc_asked || request.headers.get(md5_header);
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
    if (wants_md5) md5.update(bytes);
    if (wants_crc) crc.update(bytes);
    CO_TRY_VOID(co_await writer->append(bytes));
  }
  if (wants_md5) received.md5 = md5.finish();
  received.crc64 = crc.value();
  CO_TRY_VOID(check_sums(request, md5_header, received.md5, received.crc64));
  CO_TRY(received.content, co_await writer->finish());
  co_return received;
}

void add_checksum(http::Response& response, const Received& received) {
  if (received.crc_asked)
    response.header("x-ms-content-crc64", crc64_text(received.crc64));
  else
    response.header("Content-MD5", base64(as_bytes(received.md5)));
}

}  // namespace holdfast::blob
