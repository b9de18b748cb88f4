#include "store/objects/content.h"

#include <algorithm>

#include "base/digest.h"

namespace holdfast::store {
namespace {

class PieceContent final : public OpenContent {
 public:
  PieceContent(std::vector<StoredPiece> pieces, BlockingPool& pool)
      : pieces_(std::move(pieces)), pool_(pool) {
    for (const StoredPiece& piece : pieces_) size_ += piece.size;
  }
  uint64_t size() const override { return size_; }

  std::vector<Extent> extents(uint64_t offset, uint64_t size) const override {
    std::vector<Extent> out;
    for (const StoredPiece& piece : pieces_) {
      if (size == 0) break;
      if (offset >= piece.size) {
        offset -= piece.size;
        continue;
      }
      Extent extent;
      extent.fd = piece.fd;
      extent.offset = piece.offset + offset;
      extent.size = std::min(size, piece.size - offset);
      size -= extent.size;
      offset = 0;
      out.push_back(std::move(extent));
    }
    return out;
  }

  Task<Result<size_t>> read(uint64_t offset, std::span<std::byte> into) const override {
    auto parts = extents(offset, into.size());
    auto work = [&parts, into]() -> Result<size_t> {
      size_t done = 0;
      for (const Extent& part : parts) {
        TRY_VOID(read_exact(part.fd->get(), into.subspan(done, part.size), part.offset));
        done += part.size;
      }
      return done;
    };
    co_return co_await pool_.run(std::move(work));
  }

 private:
  std::vector<StoredPiece> pieces_;
  BlockingPool& pool_;
  uint64_t size_ = 0;
};

}  // namespace

std::shared_ptr<OpenContent> open_pieces(std::vector<StoredPiece> pieces, BlockingPool& pool) {
  return std::make_shared<PieceContent>(std::move(pieces), pool);
}

Result<void> verify_pieces(const std::vector<StoredPiece>& pieces) {
  std::vector<std::byte> buffer(1 << 20);
  for (const StoredPiece& piece : pieces) {
    uint32_t crc = 0;
    for (uint64_t at = 0; at < piece.size;) {
      const std::span<std::byte> part(buffer.data(),
                                      std::min<uint64_t>(buffer.size(), piece.size - at));
      TRY_VOID(read_exact(piece.fd->get(), part, piece.offset + at));
      crc = crc32(part, crc);
      at += part.size();
    }
    if (crc != piece.crc32)
      return fail(Code::internal, "checksum_mismatch",
                  "stored bytes are not those that were written");
  }
  return {};
}

}  // namespace holdfast::store
