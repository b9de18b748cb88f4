// What of Triton's extensions every door names in its server metadata.
#pragma once

#include <array>
#include <string_view>

namespace holdfast::inference {

inline constexpr std::array<std::string_view, 7> kExtensions = {
    "binary_tensor_data", "classification", "model_repository", "model_configuration",
    "schedule_policy",    "statistics",     "logging"};

}  // namespace holdfast::inference
