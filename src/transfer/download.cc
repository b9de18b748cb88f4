#include "transfer/download.h"

#include "net/runtime.h"
#include "transfer/part_file.h"

namespace holdfast::transfer {
namespace {

using blob_client::BlobClient;

constexpr int kTries = 3;  // of a piece whose answer was cut

// One blob on its way in ranges.
class Ranges {
 public:
  Ranges(BlobClient& client, std::string container, std::string blob,
         const blob_client::BlobProperties& properties, PartFile& part, DownloadOptions& options)
      : client_(client),
        container_(std::move(container)),
        blob_(std::move(blob)),
        properties_(properties),
        part_(part),
        options_(options),
        count_(piece_count(properties.size, options.piece)) {}

  Task<Result<void>> fetch_some(const bool& stop) {
    Bytes buffer(256 << 10);
    while (!stop) {
      while (next_ < count_ && part_.has(next_)) ++next_;
      if (next_ >= count_) break;
      const Piece piece = piece_at(properties_.size, options_.piece, next_++);
      for (int tries = 1;; ++tries) {
        auto done = co_await fetch(piece, buffer);
        if (done) break;
        const bool again = tries < kTries && (done.error().code() == Code::unavailable ||
                                              done.error().code() == Code::timed_out);
        if (!again) co_return done;
        CO_TRY_VOID(co_await sleep_for(std::chrono::milliseconds(200) * tries));
      }
      std::function<Result<void>()> work = [this, piece] {
        return part_.finish_piece(piece.index);
      };
      CO_TRY_VOID(co_await pool_.run(std::move(work)));
      if (options_.moved) options_.moved(piece.size);
    }
    co_return Result<void>();
  }

  Task<Result<void>> finish() {
    std::function<Result<void>()> work = [this] {
      return part_.become_target(properties_.content_md5);
    };
    co_return co_await pool_.run(std::move(work));
  }

 private:
  Task<Result<void>> fetch(Piece piece, Bytes& buffer) {
    blob_client::ByteRange range;
    range.offset = piece.offset;
    range.size = piece.size;
    CO_TRY(auto response, co_await client_.get(container_, blob_, range, properties_.etag));
    uint64_t got = 0;
    for (;;) {
      CO_TRY(const size_t count, co_await response.body->read(buffer));
      if (count == 0) break;
      if (got + count > piece.size)
        co_return fail(Code::internal, "the service sent more than it was asked for");
      const ByteView bytes(buffer.data(), count);
      const uint64_t at = piece.offset + got;
      std::function<Result<void>()> work = [this, bytes, at] { return part_.write(bytes, at); };
      CO_TRY_VOID(co_await pool_.run(std::move(work)));
      got += count;
    }
    if (got != piece.size) co_return fail(Code::unavailable, "the answer was cut short");
    co_return Result<void>();
  }

  BlobClient& client_;
  const std::string container_, blob_;
  const blob_client::BlobProperties& properties_;
  PartFile& part_;
  const DownloadOptions& options_;
  const uint64_t count_;
  uint64_t next_ = 0;
  BlockingPool pool_{"files", 1};  // one thread: the part file is used by one at a time
};

Error explain(Error error, const std::string& blob) {
  if (error.code() != Code::precondition_failed) return error;
  return Error(Code::precondition_failed, blob + " changed while it was fetched; fetch it again");
}

}  // namespace

Task<Result<Downloaded>> download_blob(BlobClient& client, std::string container, std::string blob,
                                       std::filesystem::path target, DownloadOptions options) {
  std::error_code ignored;
  if (std::filesystem::is_directory(target, ignored))
    co_return fail(Code::invalid_argument, target.string() + " is a folder");
  Downloaded out;
  CO_TRY(out.properties, co_await client.properties(container, blob));
  if (options.begin) options.begin(out.properties.size);
  CO_TRY(PartFile part,
         PartFile::open(target, out.properties.etag, out.properties.size, options.piece));
  out.resumed = part.bytes();
  if (options.moved && out.resumed > 0) options.moved(out.resumed);
  Ranges ranges(client, std::move(container), blob, out.properties, part, options);
  Lane lane = [&ranges](const bool& stop) { return ranges.fetch_some(stop); };
  auto done = co_await run_lanes(std::max(1u, options.parallel), std::move(lane));
  if (done) done = co_await ranges.finish();
  if (!done) co_return std::unexpected(explain(std::move(done.error()), blob));
  co_return out;
}

}  // namespace holdfast::transfer
