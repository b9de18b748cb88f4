// Reading stored bytes: the pieces of a content as one stretch. For store/objects alone.
#pragma once

#include <memory>
#include <vector>

#include "net/runtime.h"
#include "store/objects/object_store.h"

namespace holdfast::store {

struct StoredPiece {
  std::shared_ptr<Fd> fd;
  uint64_t offset = 0, size = 0;
  uint32_t crc32 = 0;
};

// `pool` must outlive the content.
std::shared_ptr<OpenContent> open_pieces(std::vector<StoredPiece> pieces, BlockingPool& pool);

// Blocking. internal where a byte is not what was written.
Result<void> verify_pieces(const std::vector<StoredPiece>& pieces);

}  // namespace holdfast::store
