// Triton's classification extension: an output as its best classes.
#pragma once

#include <cstdint>

#include "inference/engine.h"

namespace holdfast::inference {

// BYTES elements "VALUE:INDEX", the best first, at most `classes` of each row; a row is all of a
// tensor of one dimension, else an element of its first. NaN comes last; equal values in the order
// of their indices. invalid_argument: `classes` is 0, or the datatype is BOOL, FP16 or BYTES.
Result<Tensor> classify(const Tensor& tensor, uint64_t classes);

}  // namespace holdfast::inference
