// Contents with holes, of which stretches are replaced: what a page blob is made of. A map is held
// by counted references as any content is, and what is held by more than one is never changed: a
// change of it makes a map of its own first. A change writes the rows of the stretches it touches,
// however large the whole is. Plain functions inside the caller's transaction.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "store/objects/object_store.h"

namespace holdfast::store::page_map {

constexpr uint64_t kEnd = 1ull << 62;  // beyond the end of every map

// One reference; nothing but zeroes.
Result<ContentId> make(Tx& tx);
// [first, first + size) becomes the bytes of `by`, or zeroes. Takes over the caller's reference on
// the map and gives one on what it returns, which is the map itself where no one else holds it.
// References on `by` stay the caller's own. not_found.
Result<ContentId> replace(Tx& tx, ContentId map, uint64_t first, uint64_t size,
                          std::optional<ContentId> by);

struct Stretch {
  uint64_t first = 0, size = 0;
  bool cleared = false;  // of changes(): it is a hole now
};
// What is no hole in [first, end), cut to it; neighbours are one. At most `limit` and then `more`,
// where the next one begins.
struct Stretches {
  std::vector<Stretch> items;
  std::optional<uint64_t> more;
};
Result<Stretches> stretches(Tx& tx, ContentId map, uint64_t first, uint64_t end, size_t limit);

// The same of what in [first, end) has become another thing than it was in the map `before`.
Result<Stretches> changes(Tx& tx, ContentId before, ContentId map, uint64_t first, uint64_t end,
                          size_t limit);

// The map as a content of `size` bytes; only what lies in [first, end) can be read.
Result<std::shared_ptr<OpenContent>> open(Tx& tx, ObjectStore& objects, ContentId map,
                                          uint64_t size, uint64_t first, uint64_t end);

}  // namespace holdfast::store::page_map
