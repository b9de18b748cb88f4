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

  uint64_t end() const { return durable_ + added_.size(); }
  void add(ByteView bytes) { added_ += as_text(bytes); }  // kept until write()
  // All that was added, durable. After an error it is dropped again; `usable` where the disk was
  // full: then the file goes on once there is space. What another failure left is unknown.
  Result<void> write();
  bool usable() const { return usable_; }

 private:
  SegmentFile(Fd fd, uint64_t limit) : fd_(std::move(fd)), limit_(limit) {}

  Fd fd_;
  const uint64_t limit_;
  uint64_t durable_ = 0;    // the end of what was written
  uint64_t allocated_ = 0;  // up to here the file has blocks, and its size is durable
  std::string added_;
  bool usable_ = true;
};

}  // namespace holdfast::store
