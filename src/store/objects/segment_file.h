// The segment that is being written. For store/objects alone; one thread.
#pragma once

#include <memory>
#include <string>

#include "base/files.h"

namespace holdfast::store {

class SegmentFile {
 public:
  // A new file; conflict where there is one. About `limit` bytes will be written to it.
  static Result<std::unique_ptr<SegmentFile>> create(const std::string& path, uint64_t limit);
  ~SegmentFile();  // cuts off what is allocated beyond the end
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;

  // Kept until write(). `offset` is not before the end of what was added.
  void add(ByteView bytes, uint64_t offset) {
    added_.resize(offset - durable_);
    added_ += as_text(bytes);
  }
  // All that was added, durable. After an error the file is not to be written any more.
  Result<void> write();

 private:
  uint64_t end() const { return durable_ + added_.size(); }
  SegmentFile(Fd fd, uint64_t limit) : fd_(std::move(fd)), limit_(limit) {}

  Fd fd_;
  const uint64_t limit_;
  uint64_t durable_ = 0;    // the end of what was written
  uint64_t allocated_ = 0;  // up to here the file has blocks, and its size is durable
  std::string added_;
};

}  // namespace holdfast::store
