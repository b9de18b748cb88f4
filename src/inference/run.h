// Running a model for one request, whatever protocol it came by.
#pragma once

#include <functional>

#include "base/clock.h"
#include "inference/repository.h"

namespace holdfast::inference {

struct RunOptions {
  MonoTime deadline = MonoTime::max();  // after it the request is not begun: timed_out
  unsigned priority = 0;                // 1 is the highest; 0 the default
  // Whether nobody waits for the answer any more; asked before the run, on any thread. May be
  // empty.
  std::function<bool()> abandoned;
};

// Runs (on the caller's thread where the model is quick, else on a lane) and counts. The inputs
// were checked against the signature. All must stay until it returns, cancelled or not.
// invalid_argument: the model refuses these values; unavailable with the reason "queue_full";
// timed_out; cancelled: abandoned; internal.
Task<Result<std::vector<Tensor>>> run_model(Repository& repository, Loaded& loaded,
                                            const std::vector<TensorView>& inputs,
                                            const std::vector<std::string>& outputs,
                                            const RunOptions& options = {});

}  // namespace holdfast::inference
