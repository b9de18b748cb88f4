#include "store/objects/content_body.h"

#include <algorithm>

namespace holdfast::store {
namespace {

constexpr uint64_t kReadLimit = 16 << 10;  // up to this, one write with the head is cheaper

}  // namespace

Task<Result<size_t>> ContentSource::read(std::span<std::byte> into) {
  const auto part = into.first(std::min<uint64_t>(into.size(), end_ - at_));
  if (part.empty()) co_return size_t{0};
  CO_TRY(const size_t count, co_await content_->read(at_, part));
  at_ += count;
  co_return count;
}

Result<void> set_body(http::Response& response, const std::shared_ptr<OpenContent>& content,
                      uint64_t first, uint64_t size) {
  if (size <= kReadLimit) {
    std::string bytes(size, '\0');
    TRY_VOID(content->read_now(first, std::as_writable_bytes(std::span(bytes))));
    response.body = std::move(bytes);
    return {};
  }
  auto ranges = content->ranges(first, size);
  for (const http::FileRange& range : ranges) {
    if (!range.check) continue;  // a hole is not stored
    TRY_VOID(range.check->passed(range.offset, 1));
    break;
  }
  response.body = std::move(ranges);
  return {};
}

}  // namespace holdfast::store
