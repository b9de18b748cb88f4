// Page blobs: a content with holes, whose pages of 512 bytes are written in place of one another. A
// write of pages costs those pages, however large the blob is, and makes a new state of the whole
// at once; who holds an older state (a reader, a copy) keeps it.
#pragma once

#include "blob/blobs.h"
#include "store/objects/page_map.h"

namespace holdfast::blob {

constexpr uint64_t kPage = 512, kPageBlobLimit = 8ull << 40;

struct PageConditions {  // on the sequence number
  std::optional<int64_t> at_most, below, equal;
};
struct PageChange {
  enum Action { none, max, update, increment } action = none;
  int64_t sequence = 0;          // for max and update
  std::optional<uint64_t> size;  // what is cut off is gone; what is added is zeroes
  std::optional<Pairs> headers;
};
struct PageRanges {
  Info info;
  store::page_map::Stretches written;
};

// The pages of this name are others from now on than those of its snapshots.
Result<void> note_overwrite(store::Tx& tx, int64_t container, std::string_view name);

// Common failures: those of Blobs, and conflict "invalid_blob_type". Sizes and ranges must be whole
// pages; the caller has seen to that.
class PageBlobs {
 public:
  explicit PageBlobs(Blobs& blobs) : blobs_(blobs) {}
  // Of nothing but zeroes; in place of what there is.
  Task<Result<Info>> create(BlobKey key, uint64_t size, NewBlob wanted, Conditions conditions);
  // `content` nullopt: the range becomes a hole. precondition_failed "sequence_number";
  // invalid_argument "invalid_page_range" beyond the end.
  Task<Result<Info>> write(BlobKey key, Range range, std::optional<store::StagedContent> content,
                           Conditions conditions, PageConditions sequence);
  Task<Result<Info>> change(BlobKey key, PageChange change, Conditions conditions);
  // What is no hole, from `range.first` on, at most `limit`. invalid_argument "invalid_range" where
  // it begins beyond the end.
  // With `since`, a snapshot's time, what has changed after it; also conflict
  // "previous_snapshot_not_found", "blob_overwritten"; invalid_argument "previous_snapshot_newer".
  Task<Result<PageRanges>> ranges(BlobKey key, Range range, size_t limit, Conditions conditions,
                                  std::optional<WallTime> since = std::nullopt);

 private:
  Blobs& blobs_;
};

}  // namespace holdfast::blob
