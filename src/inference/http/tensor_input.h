// One JSON tensor of a request, which was checked against the model before. For the codecs alone.
// All errors are invalid_argument or too_large and name the input.
#pragma once

#include "inference/http/codec.h"
#include "inference/http/json_values.h"
#include "inference/input.h"

namespace holdfast::inference {

// parse_infer() of what is parsed already; `binary` is what follows the JSON.
Result<InferRequest> read_infer(const simdjson::dom::element& root, std::string_view binary,
                                const Signature& signature, const Regions* regions);

// A flat list, or lists nested as the shape says.
Result<void> fill_json(TensorView& view, const simdjson::dom::element& data, InferRequest& request);

}  // namespace holdfast::inference
