// Where the time of one request went, told to a client that asks: the parameter `timing` of the
// Open Inference Protocol's request, or the header Holdfast-Timing.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "inference/scheduler.h"

namespace holdfast::inference {

// Names and µs, in their order: receive (the body, its tensors, pictures), queue, input (merging
// with others), infer (the engine), output (all that came after it until now), total (their sum).
using Stages = std::array<std::pair<std::string_view, int64_t>, 6>;

// `start`: when the door began with the request.
Stages stages_until_now(const RunReport& report, MonoTime start);

// The header Server-Timing (W3C), whose unit is ms: "queue;dur=0.012, …".
std::string server_timing(const Stages& stages);

}  // namespace holdfast::inference
