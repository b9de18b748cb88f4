// One input tensor of a request: checked against the model, then filled from binary or JSON data.
// For the codecs alone. All errors are invalid_argument or too_large and name the input.
#pragma once

#include <string_view>

#include "inference/http/codec.h"
#include "inference/http/json_values.h"

namespace holdfast::inference {

// Name, datatype and shape are the model's.
Result<void> check_input(const TensorView& view, const Signature& signature);

// The bytes are used where they lie if they are aligned for the type, else copied.
Result<void> fill_binary(TensorView& view, std::string_view binary, InferRequest& request);

// A flat list, or lists nested as the shape says.
Result<void> fill_json(TensorView& view, const simdjson::dom::element& data, InferRequest& request);

std::string shape_text(const std::vector<int64_t>& shape);  // "[1,64]"

}  // namespace holdfast::inference
