// What is done with a model file before anybody is served from it. Blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "inference/repository.h"

namespace holdfast::inference {

// "sha256:" and the hash of the file.
Result<std::string> digest_of(const std::string& path);

// The 99th percentile of a model that is not known to be quick.
inline constexpr int64_t kUnknownTime = INT64_MAX / 2;

// Bytes that this process has allocated.
uint64_t bytes_in_use();

// Runs the model on zeros, dynamic sizes as 1, so that the first request finds everything
// allocated, and learns how long a run takes. A model that refuses zeros, or whose zeros would take
// more than 256 MiB, serves all the same, but as one that is not known to be quick;
// why it refused them is returned.
std::optional<Error> warm_up(Loaded& loaded);

}  // namespace holdfast::inference
