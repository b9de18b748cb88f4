// Registered models: their versions, and where one came from.
#pragma once

#include "cli/context.h"

namespace holdfast::cli {

// "sha256:" and 64 hex digits, or the digits alone.
bool is_digest(std::string_view text);
// From the digest back to image, model version, run, job, data versions and source files.
Task<Result<int>> trace_digest(Context& context, std::string digest);
// The same from a version: a number, latest or @ALIAS.
Task<Result<int>> trace_version(Context& context, std::string model, std::string version);
// The newest version of every model, or all of one.
Task<Result<int>> list_registered(Context& context, std::string model);

}  // namespace holdfast::cli
