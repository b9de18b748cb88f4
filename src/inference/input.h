// Input tensors of a request, checked against the model, whatever protocol they came by. All errors
// are invalid_argument or too_large and name the input.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inference/engine.h"

namespace holdfast::inference {

// Name, datatype and shape are the model's; or BYTES, where pictures are taken for it.
Result<void> check_input(const TensorView& view, const Signature& signature);

// Row-major elements; for BYTES each a length (u32, little endian) and its bytes. They are used
// where they lie if they are aligned for the type, else copied to `owned`.
Result<void> fill_binary(TensorView& view, std::string_view binary, std::vector<Bytes>& owned);

// The elements of its shape; errors name the input.
Result<uint64_t> count_of(const TensorView& view);

std::string shape_text(const std::vector<int64_t>& shape);  // "[1,64]"

// As many as the model has, else named.
Result<void> check_count(size_t inputs, const Signature& signature);

// "3", or as the protocol's text shows it "v3"; "" is 0, the current one. invalid_argument.
Result<int64_t> parse_version(std::string_view text);

}  // namespace holdfast::inference
