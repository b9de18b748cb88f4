// Bodies of infer requests, and the memory that those on their way have together: what clients send
// slowly, or leave behind in a queue, must not be all memory that there is.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "net/http/message.h"

namespace holdfast::inference {

inline constexpr uint64_t kMostBody = 64 << 20;  // bytes of one, also when it is unpacked

// Any thread may call. Outlives its shares.
class BodyMemory {
 public:
  static constexpr uint64_t kMost = 512 << 20;  // bytes; as the gRPC door has for its messages

  explicit BodyMemory(uint64_t most = kMost) : most_(most) {}
  uint64_t most() const { return most_; }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  friend class BodyShare;
  const uint64_t most_;
  std::atomic<uint64_t> used_{0};
};

// What one request has of it, until it ends.
class BodyShare {
 public:
  explicit BodyShare(BodyMemory& of) : of_(&of) {}
  BodyShare(BodyShare&& other) noexcept : of_(other.of_), bytes_(std::exchange(other.bytes_, 0)) {}
  BodyShare& operator=(BodyShare&&) = delete;
  ~BodyShare() { of_->used_.fetch_sub(bytes_, std::memory_order_relaxed); }

  // unavailable: others have it all; too_large: it has it itself. What failed is counted as well.
  Result<void> grow(uint64_t bytes);

 private:
  BodyMemory* of_;
  uint64_t bytes_ = 0;
};

struct Body {
  std::string bytes;
  size_t before = 0;  // of them, what is none of the body
  BodyShare share;
  std::string_view text() const { return std::string_view(bytes).substr(before); }
};
// The body, decompressed; where tensors come behind `json_size` bytes, they lie as an engine can
// read them. timed_out with the reason "slow_body" where it did not come in time; too_large;
// unavailable.
Task<Result<Body>> read_body(http::Request& request, BodyMemory& memory, uint64_t json_size = 0);

}  // namespace holdfast::inference
