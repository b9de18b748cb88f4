// Bodies as streams, so that nothing large is held in memory.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "net/task.h"

namespace holdfast {

// Read by one task at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Up to `into.size()` bytes; 0 at the end. timed_out, cancelled, unavailable (peer gone),
  // too_large.
  virtual Task<Result<size_t>> read(std::span<std::byte> into) = 0;
  // How many are still to come; nullopt where nobody said.
  virtual std::optional<uint64_t> left() const { return std::nullopt; }
};

// A source over bytes in memory.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}
  Task<Result<size_t>> read(std::span<std::byte> into) override;

 private:
  std::string bytes_;
  size_t at_ = 0;
};

// The rest of `source`, behind so many zeros; too_large over `limit` bytes.
Task<Result<std::string>> read_all(ByteSource& source, uint64_t limit, size_t before = 0);

}  // namespace holdfast
