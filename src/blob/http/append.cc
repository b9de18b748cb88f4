#include "base/crc64.h"
#include "blob/http/body.h"
#include "blob/http/copy.h"
#include "blob/http/operations.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kAppendBlockLimit = 100ull << 20;

Result<std::optional<uint64_t>> number_in(const http::Request& request, std::string_view name) {
  const auto header = request.headers.get(name);
  if (!header) return std::nullopt;
  const auto number = parse_u64(trim(*header));
  if (!number)
    return fail(Code::invalid_argument, "invalid_header",
                std::string(name) + " must be a number of bytes");
  return *number;
}

Result<AppendConditions> append_conditions_of(const http::Request& request) {
  AppendConditions where;
  TRY(where.position, number_in(request, "x-ms-blob-condition-appendpos"));
  TRY(where.max_size, number_in(request, "x-ms-blob-condition-maxsize"));
  return where;
}

}  // namespace

Answer append_block(Call& call) {
  CO_TRY_VOID(check_blob_name(call.address.blob));
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(const AppendConditions where, append_conditions_of(call.request));
  if (call.request.headers.get("x-ms-copy-source")) {
    CO_TRY_VOID(co_await take_source_as_body(call));
  }
  CO_TRY(Received received, co_await receive(call, kAppendBlockLimit, "Content-MD5"));
  if (received.content.size == 0)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "Content-Length: an appended block is not empty");
  CO_TRY(const Appended done, co_await call.blobs.append_block(
                                  call.key(), std::move(received.content), conditions, where));
  http::Response response = written(201, done.info);
  add_checksum(response, received);
  response.header("x-ms-blob-append-offset", std::to_string(done.offset))
      .header("x-ms-blob-committed-block-count", std::to_string(done.info.blocks))
      .header("x-ms-request-server-encrypted", "false");
  co_return response;
}

Answer seal_blob(Call& call) {
  CO_TRY(const Conditions conditions, conditions_of(call, Use::write));
  CO_TRY(const AppendConditions where, append_conditions_of(call.request));
  CO_TRY(const Info info, co_await call.blobs.seal(call.key(), conditions, where));
  http::Response response = written(200, info);
  response.header("x-ms-blob-sealed", "true");
  co_return response;
}

}  // namespace holdfast::blob
