// The JSON before binary tensors, which most clients repeat for each request: it is parsed once.
#pragma once

#include "inference/http/codec.h"

namespace holdfast::inference {

// parse_infer() for a model, which remembers on this thread what the JSON said last.
Result<InferRequest> parse_known(const LoadedPtr& loaded, std::string_view body,
                                 std::optional<uint64_t> json_size);

}  // namespace holdfast::inference
