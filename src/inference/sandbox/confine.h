// Takes from a process what loading a model does not need, before it loads one that nobody knows.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/result.h"

namespace holdfast::inference {

// From here on, for good and for every thread: no new programs or processes, no sockets, no file
// written, made, moved or removed, no other process touched (EPERM each), no core file; at most
// `memory` bytes of data (allocations fail above it) and `time` on a processor (SIGKILL above it).
// What it may read it reads. unavailable: the kernel refuses.
Result<void> confine(uint64_t memory, std::chrono::seconds time);

}  // namespace holdfast::inference
