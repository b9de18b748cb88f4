// ONNX Runtime's library: where it is, and what it can use. For src/inference/onnxruntime alone.
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>

#include <string_view>

#include "base/result.h"

namespace holdfast::inference::onnxruntime {

// Maps it, and sets the C++ interface up. unavailable, naming the places where it was looked for.
Result<void> open_library();
// One of onnxruntime_devices(); throws Ort::Exception where it has no such.
void use_device(Ort::SessionOptions& options, std::string_view device);

}  // namespace holdfast::inference::onnxruntime
