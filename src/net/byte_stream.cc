#include "net/byte_stream.h"

#include <algorithm>
#include <cstring>

namespace holdfast {

Task<Result<size_t>> MemorySource::read(std::span<std::byte> into) {
  const size_t count = std::min(into.size(), bytes_.size() - at_);
  std::memcpy(into.data(), bytes_.data() + at_, count);
  at_ += count;
  co_return count;
}

Task<Result<std::string>> read_all(ByteSource& source, uint64_t limit, size_t before) {
  constexpr size_t kMost = 4 << 20;  // room made at once: what is announced may never come
  std::string all(before, '\0');
  size_t step = 4096;
  for (;;) {
    const auto left = source.left();
    if (left == 0) co_return all;
    if (left) step = std::min<uint64_t>(*left, kMost);
    const size_t had = all.size();
    // Nothing is written where the bytes are about to be.
    all.resize_and_overwrite(had + step, [](char*, size_t size) { return size; });
    CO_TRY(const size_t count,
           co_await source.read(std::as_writable_bytes(std::span(all.data() + had, step))));
    all.resize(had + count);
    if (count == 0) co_return all;
    if (all.size() - before > limit)
      co_return fail(Code::too_large, "the body is larger than " + format_size(limit));
    if (count == step) step = std::min<size_t>(step * 2, kMost);
  }
}

}  // namespace holdfast
