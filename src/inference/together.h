// Quick requests that are ready on one thread at the same time, as one run: under load, many
// callers share what a run costs whatever its rows. Nobody waits for a request that is not there
// yet.
#pragma once

#include "inference/execute.h"

namespace holdfast::inference {

// Looks what else is ready on the calling thread; those of the same kind that it finds call this in
// turn, and the last of them runs all, as long as that is likely to take less than `quick_ns`. Then
// the outcome is set. false: it is to be run alone.
bool run_with_ready(Scheduler& scheduler, Waiting& waiting, int64_t quick_ns);

}  // namespace holdfast::inference
