// Code snapshots: immutable tar archives, named by their SHA-256, each a file. Blocking: call on a
// pool.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::jobs {

constexpr uint64_t kCodeBytes = 32 << 20;  // of an archive

// The id of `tar`, now durable in `directory`; the same bytes are kept once. invalid_argument: no
// archive of plain files and folders with safe paths; too_large over kCodeBytes.
Result<std::string> put_code(const std::string& directory, std::string_view tar);
// Writes the files below `into`, which must be there. not_found.
Result<void> unpack_code(const std::string& directory, std::string_view id,
                         const std::string& into);
bool has_code(const std::string& directory, std::string_view id);

}  // namespace holdfast::jobs
