#include "store/objects/content.h"

#include <algorithm>
#include <cstring>

#include "base/digest.h"
#include "store/objects/checksums.h"
#include "store/objects/planted.h"

namespace holdfast::store {
namespace {

constexpr uint64_t kStep = 4 << 20;   // checked at a time before it is sent
constexpr uint64_t kPiece = 1 << 20;  // of an old content, read at a time

class PieceContent final : public OpenContent {
 public:
  PieceContent(std::vector<StoredPiece> pieces, BlockingPool& pool, DamageReports& reports)
      : pieces_(std::move(pieces)), pool_(pool), reports_(reports) {
    for (const StoredPiece& piece : pieces_) size_ += piece.at.size;
  }
  uint64_t size() const override { return size_; }

  http::FileRanges ranges(uint64_t offset, uint64_t size) const override {
    http::FileRanges out;
    each(offset, size, [&](size_t index, uint64_t at, uint64_t count) -> Result<void> {
      http::FileRange range;
      range.fd = pieces_[index].fd;
      range.offset = pieces_[index].at.offset + at;
      range.size = count;
      range.check = checked(index);
      out.push_back(std::move(range));
      return {};
    });
    return out;
  }

  Result<void> read_now(uint64_t offset, std::span<std::byte> into) const override {
    if (offset > size_ || into.size() > size_ - offset)
      return fail(Code::internal, "a content was read past its end");
    size_t done = 0;
    return each(offset, into.size(), [&](size_t index, uint64_t at, uint64_t count) {
      const auto part = into.subspan(done, count);
      done += count;
      return checked(index)->read(at, part);
    });
  }

  Task<Result<size_t>> read(uint64_t offset, std::span<std::byte> into) const override {
    const uint64_t there = size_ - std::min(offset, size_);
    const auto part = into.first(std::min<uint64_t>(into.size(), there));
    auto work = [this, offset, part]() -> Result<size_t> {
      TRY_VOID(read_now(offset, part));
      return part.size();
    };
    co_return co_await pool_.run(std::move(work));
  }

 private:
  // Calls visit(piece, offset in it, count) for each piece that [offset, offset + size) touches.
  template <class Visit>
  Result<void> each(uint64_t offset, uint64_t size, Visit visit) const {
    for (size_t i = 0; i < pieces_.size() && size > 0; ++i) {
      const uint64_t there = pieces_[i].at.size;
      if (offset >= there) {
        offset -= there;
        continue;
      }
      const uint64_t count = std::min(size, there - offset);
      TRY_VOID(visit(i, offset, count));
      size -= count;
      offset = 0;
    }
    return {};
  }

  // Readers go through a content in order: the last one is kept with its table.
  std::shared_ptr<const CheckedPiece> checked(size_t index) const {
    const std::lock_guard lock(mutex_);
    if (!last_ || last_index_ != index) {
      last_ = std::make_shared<CheckedPiece>(pieces_[index], reports_);
      last_index_ = index;
    }
    return last_;
  }

  std::vector<StoredPiece> pieces_;
  BlockingPool& pool_;
  DamageReports& reports_;
  uint64_t size_ = 0;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const CheckedPiece> last_;
  mutable size_t last_index_ = 0;
};

}  // namespace

std::unexpected<Error> CheckedPiece::damage(uint64_t at, const Error& error) const {
  reports_.damaged(static_cast<ContentId>(piece_.at.id), at, error.message());
  return fail(Code::internal, "content_damaged",
              "content " + std::to_string(piece_.at.id) + " at " + std::to_string(at) + ": " +
                  error.message());
}

Result<std::string_view> CheckedPiece::table() const {
  const std::lock_guard lock(mutex_);
  if (!table_) {
    std::string table(blocks_of(piece_.at.size) * 8, '\0');
    auto read = read_exact(piece_.fd->get(), std::as_writable_bytes(std::span(table)),
                           piece_.at.offset + piece_.at.size);
    if (read && Crc64::of(as_bytes(table)) != piece_.at.crc)
      read = fail(Code::internal, "the table of checksums is not what was written");
    if (!read) return damage(piece_.at.size, read.error());
    table_ = std::move(table);
  }
  return *table_;
}

// Contents of the first format have one CRC-32 over the whole.
Result<void> CheckedPiece::check_old() const {
  std::vector<std::byte> buffer(std::min<uint64_t>(kPiece, piece_.at.size));
  uint32_t crc = 0;
  for (uint64_t at = 0; at < piece_.at.size;) {
    const std::span<std::byte> part(buffer.data(),
                                    std::min<uint64_t>(buffer.size(), piece_.at.size - at));
    if (auto read = read_exact(piece_.fd->get(), part, piece_.at.offset + at); !read)
      return damage(at, read.error());
    crc = crc32(part, crc);
    at += part.size();
  }
  if (crc == piece_.at.crc) return {};
  return damage(0, Error(Code::internal, "the bytes are not what was written"));
}

Result<uint64_t> CheckedPiece::passed(uint64_t offset, uint64_t size) const {
  if (planted::unchecked()) return size;
  if (piece_.at.sum == Checksum::crc32) {
    TRY_VOID(check_old());
    return size;
  }
  if (!tabled()) {
    std::vector<std::byte> whole(piece_.at.size);
    TRY_VOID(read_block(0, whole));
    return size;
  }
  TRY(const std::string_view sums, table());
  const uint64_t at = offset - piece_.at.offset, first = at / kBlock;
  const uint64_t step_end = (at / kStep + 1) * kStep;  // so that the next one is a whole one
  const uint64_t last = (std::min(at + size, step_end) - 1) / kBlock;
  TRY(const auto bad, bad_block(piece_.fd->get(), piece_.at.size, sums, first, last));
  if (bad)
    return damage(bad->block * kBlock,
                  Error(Code::internal, bad->readable ? "the bytes are not what was written"
                                                      : "the bytes can not be read"));
  return std::min(size, (last + 1) * kBlock - at);
}

// `block` is exactly one, which begins at `begin`.
Result<void> CheckedPiece::read_block(uint64_t begin, std::span<std::byte> block) const {
  uint64_t wanted = piece_.at.crc;
  if (tabled()) {
    TRY(const std::string_view sums, table());
    wanted = table_entry(sums, begin / kBlock);
  }
  if (auto read = read_exact(piece_.fd->get(), block, piece_.at.offset + begin); !read)
    return damage(begin, read.error());
  if (Crc64::of(block) == wanted || planted::unchecked()) return {};
  return damage(begin, Error(Code::internal, "the bytes are not what was written"));
}

Result<void> CheckedPiece::read(uint64_t at, std::span<std::byte> into) const {
  if (piece_.at.sum == Checksum::crc32) {
    TRY_VOID(check_old());
    return read_exact(piece_.fd->get(), into, piece_.at.offset + at);
  }
  const uint64_t step = tabled() ? kBlock : piece_.at.size;
  std::vector<std::byte> scratch;
  while (!into.empty()) {
    const uint64_t begin = at / step * step, size = std::min(step, piece_.at.size - begin);
    const uint64_t skip = at - begin, count = std::min<uint64_t>(size - skip, into.size());
    if (count == size) {
      TRY_VOID(read_block(begin, into.first(size)));
    } else {
      scratch.resize(size);
      TRY_VOID(read_block(begin, scratch));
      std::memcpy(into.data(), scratch.data() + skip, count);
    }
    at += count;
    into = into.subspan(count);
  }
  return {};
}

Result<void> CheckedPiece::verify() const {
  for (uint64_t at = 0; at < piece_.at.size;) {
    TRY(const uint64_t good, passed(piece_.at.offset + at, piece_.at.size - at));
    at += good;
  }
  return {};
}

std::shared_ptr<OpenContent> open_pieces(std::vector<StoredPiece> pieces, BlockingPool& pool,
                                         DamageReports& reports) {
  return std::make_shared<PieceContent>(std::move(pieces), pool, reports);
}

}  // namespace holdfast::store
