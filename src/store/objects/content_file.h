// A stored content written out as a file for programs that read files.
#pragma once

#include <filesystem>

#include "store/objects/object_store.h"

namespace holdfast::store {

// Makes the file and the folders above it; copies without passing through this process where the
// kernel can. Blocking. conflict: there is a file already; internal: the content is damaged.
Result<void> write_content(const OpenContent& content, const std::filesystem::path& path);

}  // namespace holdfast::store
