#include "transform/tensor.h"

#include <bit>
#include <cctype>
#include <cstring>

namespace holdfast::transform {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are kept little-endian");

constexpr std::string_view kMagic("\x93NUMPY", 6);

std::string_view descr_of(Type type) {
  switch (type) {
    case Type::uint8:
      return "|u1";
    case Type::float32:
      return "<f4";
    case Type::float64:
      return "<f8";
  }
  return "";
}

Error broken(std::string_view why) {
  return Error(Code::invalid_argument, "not_npy", "NPY: " + std::string(why));
}

// The text after `'key':` in the header's dictionary, without leading spaces; empty where absent.
std::string_view after_key(std::string_view header, std::string_view key) {
  const size_t at = header.find("'" + std::string(key) + "':");
  if (at == std::string_view::npos) return {};
  return trim(header.substr(at + key.size() + 3));
}

Result<std::vector<int64_t>> read_shape(std::string_view text) {
  if (text.empty() || text[0] != '(') return std::unexpected(broken("no shape"));
  const size_t end = text.find(')');
  if (end == std::string_view::npos) return std::unexpected(broken("no shape"));
  std::vector<int64_t> shape;
  for (const std::string_view part : split(text.substr(1, end - 1), ',')) {
    const std::string_view digits = trim(part);
    if (digits.empty()) continue;
    const auto number = parse_u64(digits);
    if (!number || *number > (1ull << 40) || shape.size() == 32)
      return std::unexpected(broken("bad shape"));
    shape.push_back(static_cast<int64_t>(*number));
  }
  return shape;
}

}  // namespace

size_t size_of(Type type) {
  switch (type) {
    case Type::uint8:
      return 1;
    case Type::float32:
      return 4;
    case Type::float64:
      return 8;
  }
  return 0;
}

std::string_view to_string(Type type) {
  switch (type) {
    case Type::uint8:
      return "uint8";
    case Type::float32:
      return "float32";
    case Type::float64:
      return "float64";
  }
  return "";
}

std::string_view protocol_name(Type type) {
  switch (type) {
    case Type::uint8:
      return "UINT8";
    case Type::float32:
      return "FP32";
    case Type::float64:
      return "FP64";
  }
  return "";
}

Result<uint64_t> count_of(const std::vector<int64_t>& shape) {
  uint64_t count = 1;
  for (const int64_t side : shape) {
    if (side < 0) return fail(Code::invalid_argument, "a side of a shape is negative");
    if (side > 0 && count > (1ull << 40) / static_cast<uint64_t>(side))
      return fail(Code::too_large, "a shape has more than 2^40 elements");
    count *= static_cast<uint64_t>(side);
  }
  return count;
}

std::string npy_header(Type type, const std::vector<int64_t>& shape) {
  std::string sides;
  for (size_t i = 0; i < shape.size(); ++i) sides += (i ? ", " : "") + std::to_string(shape[i]);
  if (shape.size() == 1) sides += ",";
  std::string dictionary = "{'descr': '" + std::string(descr_of(type)) +
                           "', 'fortran_order': False, 'shape': (" + sides + "), }";
  while ((10 + dictionary.size() + 1) % 64 != 0) dictionary += ' ';
  dictionary += '\n';
  std::string header(kMagic);
  header += '\x01';
  header += '\x00';
  header += static_cast<char>(dictionary.size() & 0xff);
  header += static_cast<char>(dictionary.size() >> 8);
  return header + dictionary;
}

std::string to_npy(const Tensor& tensor) {
  std::string out = npy_header(tensor.type, tensor.shape);
  out += as_text(tensor.data);
  return out;
}

Result<Tensor> from_npy(ByteView file) {
  const std::string_view text = as_text(file);
  if (text.size() < 10 || !text.starts_with(kMagic)) return std::unexpected(broken("no magic"));
  if (text[6] != 1) return fail(Code::unsupported, "NPY: only version 1.0 is read");
  const size_t length = static_cast<uint8_t>(text[8]) + 256u * static_cast<uint8_t>(text[9]);
  if (text.size() < 10 + length) return std::unexpected(broken("cut in its header"));
  const std::string_view header = text.substr(10, length), data = text.substr(10 + length);
  Tensor tensor;
  const std::string_view descr = after_key(header, "descr");
  bool known = false;
  for (const Type type : {Type::uint8, Type::float32, Type::float64}) {
    if (!descr.starts_with("'" + std::string(descr_of(type)) + "'")) continue;
    tensor.type = type;
    known = true;
  }
  if (!known) return fail(Code::unsupported, "NPY: its type is none of |u1, <f4, <f8");
  if (!after_key(header, "fortran_order").starts_with("False"))
    return fail(Code::unsupported, "NPY: only C order is read");
  TRY(tensor.shape, read_shape(after_key(header, "shape")));
  TRY(const uint64_t count, count_of(tensor.shape));
  if (count * size_of(tensor.type) != data.size())
    return std::unexpected(broken("the data is " + std::to_string(data.size()) +
                                  " bytes, the shape asks for " +
                                  std::to_string(count * size_of(tensor.type))));
  const ByteView bytes = as_bytes(data);
  tensor.data.assign(bytes.begin(), bytes.end());
  return tensor;
}

}  // namespace holdfast::transform
