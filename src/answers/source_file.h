// Reads a file of a share for a transform. Blocking.
#pragma once

#include <string>

#include "shares/file_events.h"
#include "transform/recipe.h"

namespace holdfast::answers {

inline constexpr uint64_t kMaxFile = 64ull << 20;

// The file's bytes, opened component by component beneath `root` without following a link.
// not_found: gone, or (reason superseded) no longer the file that the event speaks of; denied: a
// link or no plain file; too_large, reason file_too_large.
Result<std::string> read_source(const std::string& root, const shares::FileEvent& event);

// The row that a file's bytes give.
struct Prepared {
  transform::Tensor tensor;
  uint32_t width = 0, height = 0;
  std::string sha256;  // of the file
};
Result<Prepared> prepare(const std::string& root, const shares::FileEvent& event,
                         const transform::Recipe& recipe);

// Whether the file itself is at fault, so that it is set aside; everything else is tried again.
bool file_at_fault(const Error& error);

}  // namespace holdfast::answers
