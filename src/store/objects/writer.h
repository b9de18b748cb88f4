// Writes one content: small ones wait in memory for one append to a segment; larger ones go over to
// a file, in parts: while some are on their way to the disk, the next is taken. For store/objects
// alone.
#pragma once

#include <memory>
#include <string>

#include "base/disk_space.h"
#include "net/runtime.h"
#include "net/work_ahead.h"
#include "store/objects/checksums.h"
#include "store/objects/segments.h"

namespace holdfast::store {

class FileContentWriter final : public ContentWriter {
 public:
  // `files` is the directory of large contents; `expected` bytes will come, 0 where nobody knows.
  // All references must outlive it.
  FileContentWriter(Segments& segments, BlockingPool& pool, const DiskSpace& space,
                    std::string files, uint64_t small_limit, uint64_t expected);
  ~FileContentWriter() override;
  // The error may be that of bytes which an earlier call took.
  Task<Result<void>> append(ByteView bytes) override;
  Task<Result<StagedContent>> finish() override;

 private:
  class File;
  Task<Result<void>> fill(ByteView bytes);
  Task<Result<void>> hand_over();

  Segments& segments_;
  BlockingPool& pool_;
  const DiskSpace& space_;
  const std::string files_;
  const uint64_t small_limit_, expected_;
  uint64_t size_ = 0;
  std::string small_;
  std::shared_ptr<File> file_;  // once the content is large
  WorkAhead writing_;
};

}  // namespace holdfast::store
