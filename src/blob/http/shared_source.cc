// Put Block From URL of what is one stored content: it is read for its checksums, and not written.
#include <algorithm>

#include "base/crc64.h"
#include "base/digest.h"
#include "blob/http/copy.h"
#include "blob/shared_blocks.h"
#include "store/objects/content_body.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kLeast = 1 << 20, kMost = 4000ull << 20;
constexpr size_t kPiece = 256 << 10;

// Of the whole content, against those that the request names for it.
Task<Result<Received>> sums_of(const http::Request& request, const OpenBlob& open, Range range) {
  http::Request named;
  for (const auto& [from, to] : kSourceSums) {
    if (const auto sum = request.headers.get(from)) named.headers.set(to, std::string(*sum));
  }
  Received out;
  out.crc_asked = !named.headers.get("Content-MD5");
  store::ContentSource bytes(open.content, range.first, range.last - range.first + 1);
  Hasher md5(HashKind::md5);
  Crc64 crc;
  std::vector<std::byte> piece(kPiece);
  for (;;) {
    CO_TRY(const size_t count, co_await bytes.read(piece));
    if (count == 0) break;
    if (!out.crc_asked) md5.update(ByteView(piece.data(), count));
    crc.update(ByteView(piece.data(), count));
  }
  if (!out.crc_asked) out.md5 = md5.finish();
  out.crc64 = crc.value();
  CO_TRY_VOID(check_sums(named, "Content-MD5", out.md5, out.crc64));
  co_return out;
}

}  // namespace

Task<Result<std::optional<Received>>> share_source(Call& call, std::string id,
                                                   Conditions conditions) {
  if (call.request.content_length.value_or(0) != 0) co_return std::nullopt;
  CO_TRY(const std::optional<BlobKey> here, co_await source_here(call));
  if (!here) co_return std::nullopt;
  CO_TRY(const Conditions of_source, source_conditions_of(call.request));
  CO_TRY(const std::optional<Range> wanted, source_range_of(call.request));
  Range range = wanted.value_or(Range());
  const auto open = co_await call.blobs.open_blob(*here, of_source, range);
  if (!open || open->info.type != BlobType::block || range.first >= open->info.size)
    co_return std::nullopt;
  range.last = std::min(range.last, open->info.size - 1);
  const uint64_t size = range.last - range.first + 1;
  if (size < kLeast || size > kMost) co_return std::nullopt;
  const SharedBytes bytes(*here, open->info.etag, range);
  CO_TRY(const bool fits, co_await can_share(call.blobs, bytes));
  if (!fits) co_return std::nullopt;
  CO_TRY(Received received, co_await sums_of(call.request, *open, range));
  CO_TRY(const bool shared,
         co_await share_block(call.blobs, call.key(), std::move(id), bytes, std::move(conditions)));
  if (!shared) co_return std::nullopt;
  co_return std::optional<Received>(std::move(received));
}

}  // namespace holdfast::blob
