// Several tasks at the same work, on the caller's executor.
#pragma once

#include <functional>

#include "net/task.h"

namespace holdfast::transfer {

// How much of a transfer has moved; called on the transfer's executor with every further bytes.
using Moved = std::function<void(uint64_t bytes)>;

// `stop` turns true when one of them failed: the others end with the piece that they are at.
using Lane = std::function<Task<Result<void>>(const bool& stop)>;

// Runs `lane` `count` times at once until all have ended; the first error.
Task<Result<void>> run_lanes(unsigned count, Lane lane);

}  // namespace holdfast::transfer
