// A dense array in memory, and NumPy's file form of it (NPY 1.0). Plain functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace holdfast::transform {

enum class Type { uint8, float32, float64 };

size_t size_of(Type type);                  // bytes of one element
std::string_view to_string(Type type);      // "float32", as NumPy and recipes write it
std::string_view protocol_name(Type type);  // "FP32", as the Open Inference Protocol writes it

class Tensor {
 public:
  Type type = Type::float32;
  std::vector<int64_t> shape;
  Bytes data;  // little-endian, C order
};

// Elements of `shape`; too_large over 2^40.
Result<uint64_t> count_of(const std::vector<int64_t>& shape);

// The header that goes before the data: magic, version 1.0, dictionary, padded to 64 bytes.
std::string npy_header(Type type, const std::vector<int64_t>& shape);
// The header and the data.
std::string to_npy(const Tensor& tensor);
// Reads what to_npy wrote, and NumPy's own files of these types in C order. invalid_argument: not
// such a file, or data that does not have the length that the shape asks for; unsupported: another
// type, order or version.
Result<Tensor> from_npy(ByteView file);

}  // namespace holdfast::transform
