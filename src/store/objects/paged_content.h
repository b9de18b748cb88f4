// Reading contents with holes as one stretch. For store/objects alone.
#pragma once

#include <memory>
#include <vector>

#include "store/objects/object_store.h"

namespace holdfast::store {

struct PagedStretch {
  uint64_t first = 0, size = 0;
  std::shared_ptr<OpenContent> content;
  uint64_t content_first = 0;
};

// `parts` in order, without overlap, within [first, end); between them are zeroes. internal where
// there is no memory for a file of zeroes.
Result<std::shared_ptr<OpenContent>> open_paged(std::vector<PagedStretch> parts, uint64_t size,
                                                uint64_t first, uint64_t end);

}  // namespace holdfast::store
