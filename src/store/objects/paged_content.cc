#include "store/objects/paged_content.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace holdfast::store {
namespace {

constexpr off_t kZeroes = off_t{1} << 44;  // no hole is longer; none of it takes memory

std::shared_ptr<Fd> make_zeroes() {
  auto fd = std::make_shared<Fd>(::memfd_create("zeroes", MFD_CLOEXEC));
  if (!*fd || ::ftruncate(fd->get(), kZeroes) != 0) return nullptr;
  return fd;
}

const std::shared_ptr<Fd>& zeroes() {
  static const std::shared_ptr<Fd> fd = make_zeroes();
  return fd;
}

class PagedContent final : public OpenContent {
 public:
  PagedContent(std::vector<PagedStretch> parts, uint64_t size, uint64_t first, uint64_t end)
      : parts_(std::move(parts)), size_(size), first_(first), end_(end) {}

  uint64_t size() const override { return size_; }

  http::FileRanges ranges(uint64_t offset, uint64_t size) const override {
    http::FileRanges out;
    walk(offset, size, [&](uint64_t, uint64_t count, const PagedStretch* part, uint64_t skip) {
      if (part == nullptr) {
        out.push_back(http::FileRange{zeroes(), 0, count, nullptr});
        return;
      }
      for (http::FileRange& range : part->content->ranges(part->content_first + skip, count))
        out.push_back(std::move(range));
    });
    return out;
  }

  Result<void> read_now(uint64_t offset, std::span<std::byte> into) const override {
    if (offset < first_ || offset > end_)
      return fail(Code::internal, "a content was opened for another stretch of it");
    Result<void> done;
    walk(offset, into.size(),
         [&](uint64_t at, uint64_t count, const PagedStretch* part, uint64_t skip) {
           const auto here = into.subspan(at, count);
           if (part == nullptr) {
             std::memset(here.data(), 0, here.size());
           } else if (done) {
             done = part->content->read_now(part->content_first + skip, here);
           }
         });
    return done;
  }

  Task<Result<size_t>> read(uint64_t offset, std::span<std::byte> into) const override {
    struct Piece {
      uint64_t at, count;
      const PagedStretch* part;
      uint64_t skip;
    };
    if (offset < first_ || offset > end_)
      co_return fail(Code::internal, "a content was opened for another stretch of it");
    std::vector<Piece> pieces;
    walk(offset, into.size(),
         [&](uint64_t at, uint64_t count, const PagedStretch* part, uint64_t skip) {
           pieces.push_back(Piece{at, count, part, skip});
         });
    size_t done = 0;
    for (const Piece& piece : pieces) {
      const auto here = into.subspan(piece.at, piece.count);
      for (size_t got = 0; got < here.size();) {
        if (piece.part == nullptr) {
          std::memset(here.data(), 0, here.size());
          break;
        }
        const uint64_t from = piece.part->content_first + piece.skip + got;
        CO_TRY(const size_t count, co_await piece.part->content->read(from, here.subspan(got)));
        if (count == 0) co_return fail(Code::internal, "stored bytes end too early");
        got += count;
      }
      done += here.size();
    }
    co_return done;
  }

 private:
  // Each piece of [offset, offset + size) that was opened: where in it, how long, of which part
  // (null: a hole), and how far into the part.
  template <class F>
  void walk(uint64_t offset, uint64_t size, F take) const {
    const uint64_t end = std::min(end_, offset + std::min(size, end_ - std::min(offset, end_)));
    auto part = std::upper_bound(
        parts_.begin(), parts_.end(), offset,
        [](uint64_t at, const PagedStretch& other) { return at < other.first + other.size; });
    for (uint64_t at = offset; at < end;) {
      if (part == parts_.end() || part->first > at) {
        const uint64_t next = part == parts_.end() ? end : std::min(end, part->first);
        take(at - offset, next - at, static_cast<const PagedStretch*>(nullptr), uint64_t{0});
        at = next;
        continue;
      }
      const uint64_t skip = at - part->first, count = std::min(end - at, part->size - skip);
      take(at - offset, count, &*part, skip);
      at += count;
      ++part;
    }
  }

  std::vector<PagedStretch> parts_;
  uint64_t size_, first_, end_;
};

}  // namespace

Result<std::shared_ptr<OpenContent>> open_paged(std::vector<PagedStretch> parts, uint64_t size,
                                                uint64_t first, uint64_t end) {
  if (!zeroes()) return fail(Code::internal, "there is no memory for a file of zeroes");
  return std::make_shared<PagedContent>(std::move(parts), size, first, end);
}

}  // namespace holdfast::store
