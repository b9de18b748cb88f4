#include "store/objects/content_body.h"

#include <algorithm>

namespace holdfast::store {

Task<Result<size_t>> ContentSource::read(std::span<std::byte> into) {
  const auto part = into.first(std::min<uint64_t>(into.size(), end_ - at_));
  if (part.empty()) co_return size_t{0};
  CO_TRY(const size_t count, co_await content_->read(at_, part));
  at_ += count;
  co_return count;
}

void set_body(http::Response& response, const std::shared_ptr<OpenContent>& content, uint64_t first,
              uint64_t size) {
  const auto extents = content->extents(first, size);
  if (extents.size() == 1) {
    response.body = http::FileRange{extents[0].fd, extents[0].offset, extents[0].size};
  } else if (!extents.empty()) {
    http::StreamBody body;
    body.source = std::make_unique<ContentSource>(content, first, size);
    body.size = size;
    response.body = std::move(body);
  }
}

}  // namespace holdfast::store
