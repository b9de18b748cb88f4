// What every door says in Triton's words.
#pragma once

#include <array>
#include <string_view>

namespace holdfast::inference {

// In the server's metadata.
inline constexpr std::array<std::string_view, 7> kExtensions = {
    "binary_tensor_data", "classification", "model_repository", "model_configuration",
    "schedule_policy",    "statistics",     "logging"};

// Of a platform; an ensemble has none.
constexpr std::string_view backend_of(std::string_view platform) {
  if (platform == "onnxruntime_onnx") return "onnxruntime";
  return platform == "ensemble" ? "" : platform;
}

}  // namespace holdfast::inference
