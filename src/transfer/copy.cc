#include "transfer/copy.h"

#include <set>

#include "base/digest.h"

namespace holdfast::transfer {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(500);

bool will_not_read(const Error& error) {
  return error.reason() == "copy_source" || error.code() == Code::unsupported;
}

// The service said that it goes on with it.
Task<Result<void>> until_copied(BlobAt& to, std::string status) {
  while (status == "pending") {
    CO_TRY_VOID(co_await sleep_for(kPoll));
    CO_TRY(const auto properties, co_await to.client.properties(to.container, to.blob));
    status = properties.copy_status;
  }
  if (status != "success")
    co_return fail(Code::internal, "copy_failed", "the service gave the copy up: " + status);
  co_return Result<void>();
}

// One blob on its way through here.
class Through {
 public:
  Through(BlobAt& from, BlobAt& to, const blob_client::BlobProperties& properties,
          const CopyOptions& options, uint64_t piece)
      : from_(from),
        to_(to),
        properties_(properties),
        options_(options),
        piece_(piece),
        ids_(piece_count(properties.size, piece)) {
    // A block is known by where it is from, so that a cut copy goes on without reading it again.
    const std::string where = from.client.url_of(from.container, from.blob) + "\n" +
                              properties.etag + "\n" + std::to_string(piece);
    const std::string print = hash(HashKind::md5, as_bytes(where));
    for (uint64_t i = 0; i < ids_.size(); ++i) ids_[i] = block_id(i, print);
  }

  Task<Result<void>> find_staged() {
    const auto list = co_await to_.client.get_block_list(to_.container, to_.blob,
                                                         blob_client::Blocks::uncommitted);
    if (!list && list.error().reason() == "blob_not_found") co_return Result<void>();
    if (!list) co_return std::unexpected(list.error());
    for (const auto& block : list->uncommitted) staged_.insert(block.id);
    co_return Result<void>();
  }

  Task<Result<void>> move_some(const bool& stop) {
    while (!stop && next_ < ids_.size()) {
      const Piece piece = piece_at(properties_.size, piece_, next_++);
      const std::string& id = ids_[piece.index];
      if (!staged_.contains(id)) {
        blob_client::ByteRange range;
        range.offset = piece.offset;
        range.size = piece.size;
        CO_TRY(auto response,
               co_await from_.client.get(from_.container, from_.blob, range, properties_.etag));
        CO_TRY(std::string bytes, co_await read_all(*response.body, piece.size));
        if (bytes.size() != piece.size)
          co_return fail(Code::unavailable, "the answer was cut short");
        std::string md5 = base64(as_bytes(hash(HashKind::md5, as_bytes(bytes))));
        blob_client::Content content = std::move(bytes);
        CO_TRY_VOID(co_await to_.client.put_block(to_.container, to_.blob, id, std::move(content),
                                                  std::move(md5)));
      } else {
        resumed_ += piece.size;
      }
      if (options_.moved) options_.moved(piece.size);
    }
    co_return Result<void>();
  }

  uint64_t resumed() const { return resumed_; }

  Task<Result<void>> commit() {
    blob_client::BlobHeaders headers;
    headers.content_type = properties_.content_type;
    headers.content_md5 = properties_.content_md5;
    headers.metadata = properties_.metadata;
    CO_TRY_VOID(co_await to_.client.put_block_list(to_.container, to_.blob, ids_, headers));
    co_return Result<void>();
  }

 private:
  BlobAt &from_, &to_;
  const blob_client::BlobProperties& properties_;
  const CopyOptions& options_;
  const uint64_t piece_;
  std::vector<std::string> ids_;
  std::set<std::string> staged_;
  uint64_t next_ = 0, resumed_ = 0;
};

}  // namespace

Task<Result<Copied>> copy_blob(BlobAt from, BlobAt to, CopyOptions options) {
  Copied out;
  CO_TRY(const auto properties, co_await from.client.properties(from.container, from.blob));
  out.size = properties.size;
  if (options.begin) options.begin(out.size);
  if (!options.source_url.empty()) {
    auto status = co_await to.client.start_copy(to.container, to.blob, options.source_url);
    if (status) {
      CO_TRY_VOID(co_await until_copied(to, *status));
      if (options.moved) options.moved(out.size);
      out.by_service = true;
      co_return out;
    }
    if (!will_not_read(status.error())) co_return std::unexpected(std::move(status.error()));
  }
  CO_TRY(const uint64_t piece, piece_size(out.size, options.piece));
  Through through(from, to, properties, options, piece);
  CO_TRY_VOID(co_await through.find_staged());
  Lane lane = [&through](const bool& stop) { return through.move_some(stop); };
  CO_TRY_VOID(co_await run_lanes(std::max(1u, options.parallel), std::move(lane)));
  CO_TRY_VOID(co_await through.commit());
  out.resumed = through.resumed();
  co_return out;
}

}  // namespace holdfast::transfer
