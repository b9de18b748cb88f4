#include "transfer/upload.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <map>

#include "base/digest.h"
#include "net/runtime.h"

namespace holdfast::transfer {
namespace {

using blob_client::BlobClient;

struct Source {
  std::shared_ptr<Fd> fd;
  uint64_t size = 0;
  int64_t changed = 0;  // nanoseconds
};

Result<Source> look_at(std::shared_ptr<Fd> fd, const std::string& path) {
  struct stat info{};
  if (::fstat(fd->get(), &info) != 0) return std::unexpected(errno_error(errno, "look at " + path));
  if (!S_ISREG(info.st_mode)) return fail(Code::invalid_argument, path + " is not a file");
  Source source;
  source.fd = std::move(fd);
  source.size = static_cast<uint64_t>(info.st_size);
  source.changed = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  return source;
}

std::unexpected<Error> changed(const std::string& path) {
  return fail(Code::conflict, "changed", path + " changed while it was sent; send it again");
}

// Hashes the whole and each piece in one reading. Its pool has one thread, which takes work in the
// order that it was submitted in: so pieces that are submitted in order are hashed in order.
class PieceHasher {
 public:
  explicit PieceHasher(Source source) : source_(std::move(source)) {}
  Result<std::string> hash(Piece piece) {  // raw
    Hasher one(HashKind::md5);
    for (uint64_t at = 0; at < piece.size;) {
      const auto part =
          std::span(buffer_).first(std::min<uint64_t>(buffer_.size(), piece.size - at));
      TRY_VOID(read_exact(source_.fd->get(), part, piece.offset + at));
      one.update(part);
      whole_.update(part);
      at += part.size();
    }
    return one.finish();
  }
  std::string whole() { return base64(as_bytes(whole_.finish())); }

 private:
  Source source_;
  Hasher whole_{HashKind::md5};
  Bytes buffer_ = Bytes(256 << 10);
};

// One file on its way in blocks.
class Blocks {
 public:
  Blocks(BlobClient& client, std::string container, std::string blob, Source source,
         UploadOptions& options, uint64_t piece)
      : client_(client),
        container_(std::move(container)),
        blob_(std::move(blob)),
        source_(std::move(source)),
        options_(options),
        piece_(piece),
        ids_(piece_count(source_.size, piece)),
        hasher_(source_) {}

  // Blocks that an earlier run brought.
  Task<Result<void>> find_staged() {
    const auto list =
        co_await client_.get_block_list(container_, blob_, blob_client::Blocks::uncommitted);
    if (!list && list.error().reason() == "blob_not_found") co_return Result<void>();
    if (!list) co_return std::unexpected(list.error());
    for (const auto& block : list->uncommitted) staged_[block.id] = block.size;
    co_return Result<void>();
  }

  Task<Result<void>> send_some(const bool& stop) {
    while (!stop && next_ < ids_.size()) {
      const Piece piece = piece_at(source_.size, piece_, next_++);
      std::function<Result<std::string>()> work = [this, piece] { return hasher_.hash(piece); };
      CO_TRY(const std::string print, co_await pool_.run(std::move(work)));
      std::string& id = ids_[piece.index];
      id = block_id(piece.index, print);
      const auto found = staged_.find(id);
      if (found != staged_.end() && found->second == piece.size) {
        resumed_ += piece.size;
      } else {
        blob_client::Content content = http::FileRange{source_.fd, piece.offset, piece.size};
        CO_TRY_VOID(co_await client_.put_block(container_, blob_, id, std::move(content),
                                               base64(as_bytes(print))));
      }
      if (options_.moved) options_.moved(piece.size);
    }
    co_return Result<void>();
  }

  std::vector<std::string> ids() { return std::move(ids_); }
  std::string md5() { return hasher_.whole(); }
  uint64_t resumed() const { return resumed_; }

 private:
  BlobClient& client_;
  const std::string container_, blob_;
  const Source source_;
  const UploadOptions& options_;
  const uint64_t piece_;
  std::vector<std::string> ids_;
  std::map<std::string, uint64_t> staged_;
  uint64_t next_ = 0, resumed_ = 0;
  PieceHasher hasher_;
  BlockingPool pool_{"hash", 1};
};

// The MD5 of a block or blob does not hold: the file is another by now.
Error explain(Error error, const std::string& path) {
  return error.reason() == "md5_mismatch" ? changed(path).error() : std::move(error);
}

Task<Result<Uploaded>> upload_whole(BlobClient& client, std::string container, std::string blob,
                                    Source source, UploadOptions& options) {
  Uploaded out;
  Piece all;
  all.size = out.size = source.size;
  PieceHasher hasher(source);
  BlockingPool pool("hash", 1);
  std::function<Result<std::string>()> work = [&hasher, all] { return hasher.hash(all); };
  CO_TRY_VOID(co_await pool.run(std::move(work)));
  out.md5 = options.headers.content_md5 = hasher.whole();
  blob_client::Content content = http::FileRange{source.fd, 0, source.size};
  CO_TRY(out.written, co_await client.put_blob(std::move(container), std::move(blob),
                                               std::move(content), options.headers));
  if (options.moved) options.moved(out.size);
  co_return out;
}

Task<Result<Uploaded>> upload_blocks(BlobClient& client, std::string container, std::string blob,
                                     Source source, std::string path, UploadOptions& options) {
  Uploaded out;
  out.size = source.size;
  CO_TRY(const uint64_t piece, piece_size(source.size, options.piece));
  Blocks blocks(client, container, blob, source, options, piece);
  CO_TRY_VOID(co_await blocks.find_staged());
  Lane lane = [&blocks](const bool& stop) { return blocks.send_some(stop); };
  CO_TRY_VOID(co_await run_lanes(std::max(1u, options.parallel), std::move(lane)));
  CO_TRY(const Source after, look_at(source.fd, path));
  if (after.size != source.size || after.changed != source.changed) co_return changed(path);
  out.resumed = blocks.resumed();
  out.md5 = options.headers.content_md5 = blocks.md5();
  CO_TRY(out.written, co_await client.put_block_list(std::move(container), std::move(blob),
                                                     blocks.ids(), options.headers));
  co_return out;
}

}  // namespace

Task<Result<Uploaded>> upload_file(BlobClient& client, std::string container, std::string blob,
                                   std::string path, UploadOptions options) {
  CO_TRY(Fd opened, open_file(path, O_RDONLY | O_CLOEXEC));
  CO_TRY(Source source, look_at(std::make_shared<Fd>(std::move(opened)), path));
  if (source.size <= options.piece) {
    auto done = co_await upload_whole(client, std::move(container), std::move(blob),
                                      std::move(source), options);
    if (!done) co_return std::unexpected(explain(std::move(done.error()), path));
    co_return done;
  }
  auto done = co_await upload_blocks(client, std::move(container), std::move(blob),
                                     std::move(source), path, options);
  if (!done) co_return std::unexpected(explain(std::move(done.error()), path));
  co_return done;
}

}  // namespace holdfast::transfer
