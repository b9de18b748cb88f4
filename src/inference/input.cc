#include "inference/input.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace holdfast::inference {
namespace {

std::unexpected<Error> bad(const TensorView& view, const std::string& text) {
  return fail(Code::invalid_argument, "input '" + std::string(view.name) + "'" + text);
}

// BYTES elements: each a length (u32, little endian) and its bytes.
Result<void> split_texts(TensorView& view, uint64_t count) {
  std::string_view rest = as_text(view.data);
  while (!rest.empty()) {
    uint32_t size = 0;
    if (rest.size() < 4) return bad(view, ": its BYTES elements are cut short");
    std::memcpy(&size, rest.data(), 4);
    if (rest.size() - 4 < size || view.texts.size() == count)
      return bad(view, ": its BYTES elements do not match its shape");
    view.texts.push_back(rest.substr(4, size));
    rest.remove_prefix(4 + size);
  }
  if (view.texts.size() != count) return bad(view, ": its BYTES elements do not match its shape");
  return {};
}

Result<void> check_pictures(const TensorView& view) {
  const auto& shape = view.shape;
  const bool fits = (shape.size() == 1 || (shape.size() == 2 && shape[1] == 1)) && shape[0] > 0;
  if (fits) return {};
  return bad(view, " has the shape " + shape_text(shape) + ", pictures have [n] or [n,1]");
}

}  // namespace

Result<uint64_t> count_of(const TensorView& view) {
  auto count = element_count(view.shape);
  if (!count)
    return std::unexpected(
        std::move(count).error().with_context("input '" + std::string(view.name) + "'"));
  return count;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += (i == 0 ? "" : ",") + std::to_string(shape[i]);
  return out + "]";
}

Result<void> check_input(const TensorView& view, const Signature& signature) {
  for (const TensorInfo& info : signature.inputs) {
    if (info.name != view.name) continue;
    if (info.pictures && view.type == Datatype::bytes) return check_pictures(view);
    if (info.type != view.type)
      return bad(view, " has the datatype " + std::string(to_string(view.type)) +
                           ", the model wants " + std::string(to_string(info.type)));
    bool fits = info.shape.size() == view.shape.size();
    for (size_t i = 0; fits && i < info.shape.size(); ++i)
      fits = info.shape[i] < 0 || info.shape[i] == view.shape[i];
    if (!fits)
      return bad(view, " has the shape " + shape_text(view.shape) + ", the model wants " +
                           shape_text(info.shape));
    return {};
  }
  return fail(Code::invalid_argument, "the model has no input '" + std::string(view.name) + "'");
}

Result<void> fill_binary(TensorView& view, std::string_view binary, std::vector<Bytes>& owned) {
  TRY(const uint64_t count, count_of(view));
  view.data = as_bytes(binary);
  if (view.type == Datatype::bytes) return split_texts(view, count);
  const size_t size = size_of(view.type);
  if (binary.size() != count * size)
    return bad(view, " has " + std::to_string(binary.size()) +
                         " bytes of data, its shape and datatype want " +
                         std::to_string(count * size));
  // Code that reads a bool from memory may take any other value for anything.
  if (view.type == Datatype::boolean &&
      std::ranges::any_of(view.data, [](std::byte b) { return b > std::byte{1}; }))
    return bad(view, ": a BOOL element is a byte 0 or 1");
  if (reinterpret_cast<uintptr_t>(binary.data()) % size != 0) {
    owned.emplace_back(view.data.begin(), view.data.end());
    view.data = owned.back();
  }
  return {};
}

Result<void> check_count(size_t inputs, const Signature& signature) {
  if (inputs == signature.inputs.size()) return {};
  std::string wanted;
  for (const TensorInfo& info : signature.inputs)
    wanted += (wanted.empty() ? "" : ", ") + info.name;
  return fail(Code::invalid_argument, "the request has " + std::to_string(inputs) +
                                          " inputs, the model wants " +
                                          std::to_string(signature.inputs.size()) + ": " + wanted);
}

Result<int64_t> parse_version(std::string_view text) {
  if (text.empty()) return 0;
  const auto number = parse_u64(text.starts_with('v') ? text.substr(1) : text);
  if (!number || *number == 0 || *number > INT64_MAX)
    return fail(Code::invalid_argument,
                "'" + std::string(text) + "' is not a version: a number from 1");
  return static_cast<int64_t>(*number);
}

}  // namespace holdfast::inference
