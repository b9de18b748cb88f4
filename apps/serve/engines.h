// The engines that the server's models are loaded by.
#pragma once

#include <memory>
#include <string>

#include "inference/engine.h"

namespace holdfast {

// OpenVINO takes most networks, ONNX Runtime every ONNX model. `engine`: the preferred one.
std::unique_ptr<inference::Engine> offer_engines(const std::string& engine, int threads);

}  // namespace holdfast
