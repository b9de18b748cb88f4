// OpenVINO behind the engine contract, for models whose operators it knows (no ai.onnx.ml, no
// texts); often quicker than ONNX Runtime on networks of convolutions. The library is mapped into
// memory when the first engine is opened.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "inference/engine.h"

namespace holdfast::inference {

inline constexpr std::string_view kOpenVinoPlatform = "openvino";

struct OpenVinoOptions {
  int threads = 1;                // inside one run
  std::string precision = "f32";  // of its sums: f32, bf16, f16
  std::string device = "cpu";     // or "gpu", "npu"; threads and bf16 are the processor's alone
};
// The library that open_openvino() would map first; empty: none of its places has one.
std::string openvino_libraries();
// Of "cpu", "gpu" and "npu" those that it finds here. Opens it; unavailable.
Result<std::vector<std::string>> openvino_devices();
// Looks for the folder of libopenvino_c in $HOLDFAST_OPENVINO, beside the program
// (../lib/openvino), and where the build found it. unavailable where it is nowhere, naming the
// places, or does not find the device. Answers are computed in f32, the precision
// that models name, unless another is asked for.
Result<std::unique_ptr<Engine>> open_openvino(OpenVinoOptions options = {});

}  // namespace holdfast::inference
