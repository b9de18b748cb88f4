// Running a model for one request, whatever protocol it came by.
#pragma once

#include "inference/repository.h"

namespace holdfast::inference {

// Whether it would run on the caller's thread. A request of many rows may be slow although the
// model is quick.
bool is_quick(const Loaded& loaded, const std::vector<TensorView>& inputs);
bool may_be_quick(const Loaded& loaded);  // whether any request would be

// Reason of the refusal of a version that is not run for now, its runs having failed.
inline constexpr std::string_view kBreakerReason = "breaker_open";

// Runs (on the caller's thread where the model is quick, else on a lane) and counts. The inputs
// were checked against the signature. All must stay until it returns, cancelled or not.
// invalid_argument: the model refuses these values; unavailable with the reason "queue_full" or
// kBreakerReason; timed_out; cancelled: abandoned; internal.
Task<Result<std::vector<Tensor>>> run_model(Repository& repository, Loaded& loaded,
                                            const std::vector<TensorView>& inputs,
                                            const std::vector<std::string>& outputs,
                                            const RunOptions& options = {});

// The same for a quick one, at once.
Result<std::vector<Tensor>> run_quick(Repository& repository, Loaded& loaded,
                                      const std::vector<TensorView>& inputs,
                                      const std::vector<std::string>& outputs,
                                      const RunOptions& options = {});

}  // namespace holdfast::inference
