// The database's side of an object store: which contents there are, of what, held how often. Plain
// functions inside the caller's transaction; for store/objects alone.
#pragma once

#include <string>
#include <vector>

#include "store/objects/object_store.h"

namespace holdfast::store::content_index {

// Migrates the component "objects".
Result<void> migrate(Database& database);

// As ObjectStore has them.
Result<ContentId> add(Tx& tx, const StagedContent& staged);
Result<ContentId> concatenate(Tx& tx, const std::vector<ContentId>& parts);
Result<void> retain(Tx& tx, ContentId id);
Result<void> release(Tx& tx, ContentId id);

// Where the bytes of a content lie, in order. not_found.
Result<std::vector<StagedContent>> pieces(Tx& tx, ContentId id);

// The stored contents after `id` that somebody holds, in the order of their ids.
Result<std::vector<StagedContent>> stored_after(Tx& tx, int64_t id, size_t limit);

// What was found damaged, once for each place, unless no one holds it; it goes with its content.
Result<void> record_damage(Tx& tx, ContentId id, uint64_t at, std::string_view what, WallTime now);
Result<std::vector<Damage>> damages(Tx& tx, size_t limit);

// What a sweep took out of the index; the bytes may go once it is committed.
struct Swept {
  uint64_t bytes = 0;
  size_t rows = 0;  // 0: nothing is left to sweep
  std::vector<std::string> files;
  std::vector<int64_t> segments;  // that hold nothing any more
};
// A group of contents that no one holds.
Result<Swept> sweep_group(Tx& tx);

// Segments before `before`, and not the newest, whose contents have at most `most` bytes.
struct SparseSegment {
  int64_t number = 0;
  uint64_t live = 0, bytes = 0;
};
Result<std::vector<SparseSegment>> segments_with(Tx& tx, uint64_t most, int64_t before);
// What somebody holds of a segment.
Result<std::vector<StagedContent>> held_by(Tx& tx, int64_t segment);
// The content `from` has the same bytes at `to` from now on; nothing where it went meanwhile.
Result<void> move(Tx& tx, const StagedContent& from, const StagedContent& to);
// The row of an empty one whose file is gone.
Result<void> forget_segment(Tx& tx, int64_t number);

}  // namespace holdfast::store::content_index
