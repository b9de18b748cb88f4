// Blocks that are taken from another blob of this server without copying a byte.
#pragma once

#include "blob/blobs.h"

namespace holdfast::blob {

// Bytes of a blob as it was seen.
struct SharedBytes {
  SharedBytes(BlobKey from_, uint64_t etag_, Range range_)
      : from(std::move(from_)), etag(etag_), range(range_) {}
  BlobKey from;
  uint64_t etag;
  Range range;  // its end is known
};

// Whether they are one stored content: just one of a block blob's blocks, or all of a blob that has
// none. What lies across blocks is not. Reads the rows of the blocks before it.
Task<Result<bool>> can_share(Blobs& blobs, SharedBytes bytes);
// Makes them a block of `to`. false, and nothing is done, where they can not be shared (any more).
// Reasons of Blobs::put_block().
Task<Result<bool>> share_block(Blobs& blobs, BlobKey to, std::string id, SharedBytes bytes,
                               Conditions conditions);

}  // namespace holdfast::blob
