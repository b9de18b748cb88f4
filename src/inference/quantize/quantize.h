// A model in 8 bits made from one in 32: weights as int8 with a scale a channel, what flows between
// as uint8 in the range that given requests have shown. It is an ONNX model as any other, with
// QuantizeLinear and DequantizeLinear around what is to run in integers, which ONNX Runtime and
// OpenVINO join into their kernels. Scheme: Jacob et al., "Quantization and Training of Neural
// Networks for Efficient Integer-Arithmetic-Only Inference", 2018.
#pragma once

#include <string>
#include <vector>

#include "inference/measure/tune.h"

namespace holdfast::inference {

// Writes the file `into`, and temporary ones beside it: as many layers in 8 bits as are accepted,
// those first whose own answers change the least. Half of the requests make the scales. Blocking;
// runs the model on each request. unsupported: nothing in it can be quantised, or it is quantised;
// conflict: not even one layer is accepted; invalid_argument: ONNX Runtime does not load it.
Result<Quantized> quantize(const std::string& model, const std::vector<Inputs>& requests,
                           const Accept& accept, const std::string& into);

// 8, or 7 where the processor adds two products of 8 bits up in 16, which they can overflow.
int weight_bits();

}  // namespace holdfast::inference
