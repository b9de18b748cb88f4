// The quantised graph out of the plan and the ranges.
#pragma once

#include <map>
#include <string>

#include "inference/quantize/plan.h"
#include "inference/quantize/ranges.h"

namespace holdfast::inference {

struct Rewrite {
  Plan plan;
  const std::map<std::string, Range>& ranges;  // what has none stays in float32
  const Constants& constants;                  // of the model as it was read
  int weight_bits = 8;                         // 2 to 8, one of them the sign
};

// Puts QuantizeLinear and DequantizeLinear around the planned values, and the weights in integers.
// invalid_argument: a constant's size lies.
Result<onnx::ModelProto> quantized(const onnx::ModelProto& model, const Rewrite& how);
// The model as it is, and beside each planned node the same in 8 bits, to see what that changes:
// outputs of add_noise_outputs(), numbered as the plan's nodes.
Result<onnx::ModelProto> compared(const onnx::ModelProto& model, const Rewrite& how);

}  // namespace holdfast::inference
