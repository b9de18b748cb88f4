// A stored content as the body of an HTTP response: sendfile where it lies in one piece, streamed
// otherwise.
#pragma once

#include "store/objects/object_store.h"

namespace holdfast::store {

// The bytes [first, first + size) of a content, which it keeps readable.
class ContentSource final : public ByteSource {
 public:
  ContentSource(std::shared_ptr<OpenContent> content, uint64_t first, uint64_t size)
      : content_(std::move(content)), at_(first), end_(first + size) {}
  Task<Result<size_t>> read(std::span<std::byte> into) override;

 private:
  std::shared_ptr<OpenContent> content_;
  uint64_t at_, end_;
};

// The stretch must lie inside the content.
void set_body(http::Response& response, const std::shared_ptr<OpenContent>& content, uint64_t first,
              uint64_t size);

}  // namespace holdfast::store
