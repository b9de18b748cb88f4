// OpenVINO behind the engine contract, for models whose operators it knows (no ai.onnx.ml, no
// texts); often quicker than ONNX Runtime on networks of convolutions. The library is mapped into
// memory when the first engine is opened.
#pragma once

#include <memory>

#include "inference/engine.h"

namespace holdfast::inference {

inline constexpr std::string_view kOpenVinoPlatform = "openvino";

struct OpenVinoOptions {
  int threads = 1;  // inside one run
};
// Looks for the folder of libopenvino_c in $HOLDFAST_OPENVINO, beside the program
// (../lib/openvino), and where the build found it. unavailable where it is nowhere, naming the
// places. Answers are computed in the precision that the model names.
Result<std::unique_ptr<Engine>> open_openvino(OpenVinoOptions options = {});

}  // namespace holdfast::inference
