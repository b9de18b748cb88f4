// The segment that is being written. For store/objects alone; one thread.
#pragma once

#include <boost/align/aligned_allocator.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"

namespace holdfast::store {

class SegmentFile {
 public:
  // A new file; conflict where there is one. About `limit` bytes will be written to it.
  static Result<std::unique_ptr<SegmentFile>> create(const std::string& path, uint64_t limit);
  ~SegmentFile();  // cuts off what is allocated beyond the end
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;

  uint64_t end() const { return begin_ + buffer_.size(); }
  // Kept until write().
  void add(ByteView bytes);
  // All that was added, durable. After an error it is dropped again; `usable` where the disk was
  // full: then the file goes on once there is space. What another failure left is unknown.
  Result<void> write();
  bool usable() const { return usable_; }

 private:
  // Direct writes take whole blocks from aligned memory.
  static constexpr size_t kBlock = 4096;
  using Buffer = std::vector<std::byte, boost::alignment::aligned_allocator<std::byte, kBlock>>;

  SegmentFile(Fd fd, uint64_t limit) : fd_(std::move(fd)), limit_(limit) {}
  Result<void> put();

  Fd fd_;
  const uint64_t limit_;
  uint64_t durable_ = 0;    // the end of what was written
  uint64_t allocated_ = 0;  // up to here the file has blocks, and its size is durable
  uint64_t begin_ = 0;      // where the buffer belongs: the block that `durable_` is in
  Buffer buffer_;
  bool usable_ = true;
};

}  // namespace holdfast::store
