// A stored content as the body of an HTTP response.
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

// A short stretch is read at once; of a long one the first stored block is checked now, each
// further one before it goes out by sendfile: a damaged one cuts the connection. The stretch must
// lie inside the content. Blocking, for one block. internal "content_damaged".
Result<void> set_body(http::Response& response, const std::shared_ptr<OpenContent>& content,
                      uint64_t first, uint64_t size);

}  // namespace holdfast::store
