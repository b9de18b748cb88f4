// Writes one content: small ones wait in memory for one append to a segment; at the limit they go
// over to a file. For store/objects alone.
#pragma once

#include <string>

#include "net/runtime.h"
#include "store/objects/checksums.h"
#include "store/objects/disk_space.h"
#include "store/objects/segments.h"

namespace holdfast::store {

class FileContentWriter final : public ContentWriter {
 public:
  // `files` is the directory of large contents. All references must outlive it.
  FileContentWriter(Segments& segments, BlockingPool& pool, const DiskSpace& space,
                    std::string files, uint64_t small_limit);
  ~FileContentWriter() override;
  Task<Result<void>> append(ByteView bytes) override;
  Task<Result<StagedContent>> finish() override;

 private:
  std::string path() const { return files_ + "/" + staged_.file; }
  Result<void> begin_file();
  Result<void> put(ByteView bytes);

  Segments& segments_;
  BlockingPool& pool_;
  const DiskSpace& space_;
  const std::string files_;
  const uint64_t small_limit_;
  std::string small_;
  Fd fd_;
  StagedContent staged_;
  BlockSums sums_;
  bool finished_ = false;
};

}  // namespace holdfast::store
