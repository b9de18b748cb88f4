#include "blob/http/body.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/crc64.h"
#include "base/digest.h"
#include "base/seat.h"
#include "net/work_ahead.h"

namespace holdfast::blob {
namespace {

constexpr size_t kPiece = 128 << 10, kLittlePiece = 16 << 10, kPieces = 4;
Seats seats(32);  // of bodies that have kPieces of memory and a thread for their MD5
constexpr uint64_t kHashedAside = 1 << 20, kUnknown = 1ull << 62;

// The MD5 of a body, by far the slowest of all that is done to its bytes here: of a large one it is
// computed on a pool, which is never left without a piece while more come.
class Md5OfBody {
 public:
  Md5OfBody(BlockingPool* pool, size_t piece)
      : pool_(pool), state_(std::make_shared<State>()), piece_(piece) {
    state_->memory.resize(pool_ != nullptr ? kPieces * piece : piece);
  }
  // Where the next piece may be read to.
  std::span<std::byte> room() { return std::span(state_->memory).subspan(at_, piece_); }
  // `bytes` lie at the start of room(), and stay as they are until this returns for the next.
  Task<void> add(ByteView bytes) {
    if (pool_ == nullptr) {
      state_->md5.update(bytes);
      co_return;
    }
    auto hash = [state = state_, bytes]() -> Result<void> {
      state->md5.update(bytes);
      return {};
    };
    hashing_.start(*pool_, std::move(hash));
    at_ = (at_ + piece_) % (kPieces * piece_);
    // Woken for each piece, this thread would hardly sleep, and take time from those that work.
    if (hashing_.left() == kPieces) (void)co_await hashing_.wait(kPieces / 2);
  }
  Task<std::string> finish() {
    (void)co_await hashing_.wait();
    co_return state_->md5.finish();
  }

 private:
  struct State {  // held by the work under way
    Hasher md5{HashKind::md5};
    std::vector<std::byte> memory;
  };

  BlockingPool* const pool_;
  std::shared_ptr<State> state_;
  const size_t piece_;
  size_t at_ = 0;
  WorkAhead hashing_;
};

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
  // A body that nobody announced is none; whoever forgot to would make an empty blob of it.
  if (request.content_length.value_or(0) == 0 && !request.headers.get("Content-Length") &&
      !request.headers.get("Transfer-Encoding"))
    co_return fail(Code::invalid_argument, "missing_length", "Content-Length is required");
  if (request.content_length.value_or(0) > limit)
    co_return fail(Code::too_large, "body_too_large",
                   "The request body is too large; the limit is " + format_size(limit));
  CO_TRY(auto writer, co_await call.blobs.objects().create(request.content_length));
  Received received;
  received.crc_asked = !request.headers.get("Content-MD5");
  // A whole blob has an MD5 always, a part of one where its sender names one.
  Crc64 crc;
  const bool part = request.query_value("comp").has_value();
  const bool wants_crc = request.headers.get("x-ms-content-crc64").has_value() || part;
  const bool wants_md5 = !part || !received.crc_asked || request.headers.get(md5_header);
  const uint64_t announced = request.content_length.value_or(kUnknown);
  std::optional<Seat> seat;
  if (announced > kLittlePiece) seat.emplace(seats);
  const bool seated = seat && *seat;
  Md5OfBody md5(announced >= kHashedAside && seated ? call.hashing : nullptr,
                std::min<uint64_t>(seated ? kPiece : kLittlePiece, announced + 1));
  uint64_t size = 0;
  for (;;) {
    const std::span<std::byte> piece = md5.room();
    CO_TRY(const size_t count, co_await request.body->read(piece));
    if (count == 0) break;
    size += count;
    if (size > limit)
      co_return fail(Code::too_large, "body_too_large",
                     "The request body is too large; the limit is " + format_size(limit));
    const ByteView bytes = piece.first(count);
    if (wants_md5) co_await md5.add(bytes);
    if (wants_crc) crc.update(bytes);
    CO_TRY_VOID(co_await writer->append(bytes));
  }
  if (wants_md5) received.md5 = co_await md5.finish();
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
