// Secrets that a configuration refers to and never holds.
#pragma once

#include <string>

#include "base/result.h"

namespace holdfast {

// What `reference` refers to: "file:PATH" (relative paths are beneath `folder`) or "env:NAME",
// without the white space at its end. invalid_argument: it is no reference, or leads to nothing;
// else as read_file().
Result<std::string> resolve_secret(const std::string& reference, const std::string& folder);

}  // namespace holdfast
