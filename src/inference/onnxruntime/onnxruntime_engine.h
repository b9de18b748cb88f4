// ONNX Runtime behind the engine contract. The library is mapped into memory when the first engine
// is opened.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "inference/engine.h"

namespace holdfast::inference {

inline constexpr std::string_view kOnnxRuntimePlatform = "onnxruntime_onnx";  // Triton's name

struct OnnxRuntimeOptions {
  int threads = 1;             // inside one run; 1 has no pool and no hand-off
  std::string device = "cpu";  // or one of onnxruntime_devices()
  // Where a loaded model is written to, its constants folded and its normalisations joined with
  // what they follow, in ONNX's own operators alone; empty: nowhere.
  std::string write_to;
};
// The file that open_onnxruntime() would map first; empty: none of its places has one.
std::string onnxruntime_library();
// "cpu", and of "cuda" and "tensorrt_rtx" what the library was built with. Opens it; unavailable.
Result<std::vector<std::string>> onnxruntime_devices();
// Looks for libonnxruntime.so.1 in $HOLDFAST_ONNXRUNTIME, beside the program (../lib), where the
// build found it, and where the loader looks. unavailable where it is nowhere, naming the places,
// or has no such device.
Result<std::unique_ptr<Engine>> open_onnxruntime(OnnxRuntimeOptions options = {});

}  // namespace holdfast::inference
