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
  TRY(Fd fd, open_file(path, O_RDWR | O_CREAT | O_EXCL, 0640));
  return std::unique_ptr<SegmentFile>(new SegmentFile(std::move(fd), limit));
}

SegmentFile::~SegmentFile() {
  if (allocated_ > durable_) (void)::ftruncate(fd_.get(), static_cast<off_t>(durable_));
}

// Where a file has its blocks already, a sync writes no more than the bytes; where it grows, the
// file system writes down its new size and blocks as well. So it grows by much at a time.
Result<void> SegmentFile::write() {
  const uint64_t end = this->end();
  const uint64_t ahead = std::clamp(end, kLeastAhead, kMostAhead);
  if (end > allocated_ && end < limit_) added_.append(std::min(ahead, limit_ - end), '\0');
  auto written = planted::write(fd_.get(), added_, durable_);
  if (written) written = planted::sync(fd_.get());
  if (written) {
    allocated_ = std::max(allocated_, this->end());
    durable_ = end;
  } else {
    (void)::ftruncate(fd_.get(), static_cast<off_t>(durable_));  // room on a full disk
    allocated_ = durable_;
  }
  added_.clear();
  if (added_.capacity() > kMostAhead) added_.shrink_to_fit();  // that much is wanted seldom
  return written;
}

}  // namespace holdfast::store
