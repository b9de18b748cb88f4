// A file as a stream; its reads run on a pool.
#pragma once

#include "base/files.h"
#include "net/byte_stream.h"
#include "net/runtime.h"

namespace holdfast {

class FileSource final : public ByteSource {
 public:
  // From the file's present offset. `pool` must outlive it.
  FileSource(Fd fd, BlockingPool& pool) : fd_(std::move(fd)), pool_(pool) {}
  Task<Result<size_t>> read(std::span<std::byte> into) override;

 private:
  Fd fd_;
  BlockingPool& pool_;
};

}  // namespace holdfast
