#include "store/objects/segment_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "store/objects/planted.h"

namespace holdfast::store {
namespace {

constexpr uint64_t kLeastAhead = 64 << 10, kMostAhead = 1 << 20;

}  // namespace

Result<std::unique_ptr<SegmentFile>> SegmentFile::create(const std::string& path, uint64_t limit) {
  constexpr int kNew = O_RDWR | O_CREAT | O_EXCL;
  auto fd = open_file(path, kNew | O_DIRECT, 0640);
  // Not every file system can; some make the file before they say so.
  if (!fd && fd.error().code() == Code::invalid_argument) {
    ::unlink(path.c_str());
    fd = open_file(path, kNew, 0640);
  }
  if (!fd) return std::unexpected(fd.error());
  return std::unique_ptr<SegmentFile>(new SegmentFile(std::move(*fd), limit));
}

SegmentFile::~SegmentFile() {
  if (allocated_ > durable_) (void)::ftruncate(fd_.get(), static_cast<off_t>(durable_));
}

void SegmentFile::add(ByteView bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

// Where a file has its blocks already, a sync is one flush of the disk; where it grows, the file
// system commits its journal as well, at several times the cost. So it grows by much at a time.
Result<void> SegmentFile::put() {
  const uint64_t end = this->end();
  const bool grows = end > allocated_;
  uint64_t until = end;
  if (grows && end < limit_)
    until = std::min(end + std::clamp(end, kLeastAhead, kMostAhead), limit_ + kBlock);
  buffer_.resize((until + kBlock - 1) / kBlock * kBlock - begin_);
  TRY_VOID(planted::write(fd_.get(), buffer_, begin_));
  TRY_VOID(planted::sync(fd_.get()));
  allocated_ = std::max(allocated_, begin_ + buffer_.size());
  durable_ = end;
  // The last block is written again, with what it holds, when more comes into it.
  const uint64_t last = end / kBlock * kBlock;
  const auto from = buffer_.begin() + static_cast<ptrdiff_t>(last - begin_);
  const auto to = buffer_.begin() + static_cast<ptrdiff_t>(end - begin_);
  if (buffer_.capacity() > kLeastAhead) {
    buffer_ = Buffer(from, to);
  } else {
    std::copy(from, to, buffer_.begin());
    buffer_.resize(end - last);
  }
  begin_ = last;
  return {};
}

Result<void> SegmentFile::write() {
  auto written = put();
  if (written) return written;
  buffer_.resize(durable_ - begin_);
  usable_ = written.error().reason() == "disk_full" &&
            ::ftruncate(fd_.get(), static_cast<off_t>(durable_)) == 0;
  allocated_ = durable_;
  return written;
}

}  // namespace holdfast::store
