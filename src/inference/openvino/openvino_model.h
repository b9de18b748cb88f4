// A compiled model of OpenVINO behind the engine contract. For src/inference/openvino alone.
#pragma once

#include <memory>

#include "inference/engine.h"
#include "inference/openvino/openvino_api.h"

namespace holdfast::inference::openvino {

// Any thread may run it; the model, and `api` with it, outlives its runs. unsupported: it has
// tensors that are not offered.
Result<std::unique_ptr<Model>> make_model(const Api& api, Owned<ov_compiled_model_t> compiled);

}  // namespace holdfast::inference::openvino
