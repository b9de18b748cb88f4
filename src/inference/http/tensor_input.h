// One JSON tensor of a request, which was checked against the model before. For the codecs alone.
// All errors are invalid_argument or too_large and name the input.
#pragma once

#include "inference/http/codec.h"
#include "inference/http/json_values.h"
#include "inference/input.h"

namespace holdfast::inference {

// A flat list, or lists nested as the shape says.
Result<void> fill_json(TensorView& view, const simdjson::dom::element& data, InferRequest& request);

}  // namespace holdfast::inference
