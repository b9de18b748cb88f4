#include "inference/batch.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace holdfast::inference {
namespace {

bool free_rows(const TensorInfo& info) {
  return !info.shape.empty() && info.shape[0] < 0;
}

bool same_row_shape(const std::vector<int64_t>& one, const std::vector<int64_t>& other) {
  return one.size() == other.size() && !one.empty() &&
         std::equal(one.begin() + 1, one.end(), other.begin() + 1);
}

template <class T>
bool close_enough(ByteView one, ByteView other) {
  for (size_t at = 0; at + sizeof(T) <= one.size(); at += sizeof(T)) {
    T a{}, b{};
    std::memcpy(&a, one.data() + at, sizeof a);
    std::memcpy(&b, other.data() + at, sizeof b);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (!std::isfinite(a) || !std::isfinite(b)) return false;
    const T scale = std::max({std::abs(a), std::abs(b), T(1)});
    if (!(std::abs(a - b) <= scale * T(1e-3))) return false;
  }
  return true;
}

}  // namespace

bool can_merge(const Signature& signature) {
  return !signature.inputs.empty() && !signature.outputs.empty() &&
         std::ranges::all_of(signature.inputs, free_rows) &&
         std::ranges::all_of(signature.outputs, free_rows);
}

uint64_t rows_of(const Inputs& inputs) {
  if (inputs.empty() || inputs[0].shape.empty()) return 0;
  const int64_t rows = inputs[0].shape[0];
  const bool all = std::ranges::all_of(inputs, [rows](const TensorView& input) {
    return !input.shape.empty() && input.shape[0] == rows;
  });
  return all && rows > 0 ? static_cast<uint64_t>(rows) : 0;
}

bool same_kind(const Inputs& one, const Inputs& other) {
  return std::ranges::equal(one, other, [](const TensorView& a, const TensorView& b) {
    return a.name == b.name && a.type == b.type && same_row_shape(a.shape, b.shape);
  });
}

uint64_t bytes_of(const Inputs& inputs) {
  uint64_t sum = 0;
  for (const TensorView& input : inputs)
    sum += input.data.size() + input.texts.size() * sizeof(std::string_view);
  return sum;
}

Inputs views_of(const std::vector<Tensor>& tensors) {
  Inputs out;
  out.reserve(tensors.size());
  for (const Tensor& tensor : tensors) {
    TensorView view;
    view.name = tensor.name;
    view.type = tensor.type;
    view.shape = tensor.shape;
    if (tensor.type != Datatype::bytes) view.data = tensor.data;
    view.texts.assign(tensor.texts.begin(), tensor.texts.end());
    out.push_back(std::move(view));
  }
  return out;
}

Merged merge_rows(std::span<const Inputs* const> requests) {
  Merged out;
  out.inputs = *requests[0];
  out.owned.resize(out.inputs.size());
  for (size_t i = 0; i < out.inputs.size(); ++i) {
    TensorView& view = out.inputs[i];
    Bytes& bytes = out.owned[i];
    size_t size = 0;
    for (const Inputs* request : requests) size += (*request)[i].data.size();
    bytes.reserve(size);
    view.shape[0] = 0;
    view.texts.clear();
    for (const Inputs* request : requests) {
      const TensorView& part = (*request)[i];
      view.shape[0] += part.shape[0];
      bytes.insert(bytes.end(), part.data.begin(), part.data.end());
      view.texts.insert(view.texts.end(), part.texts.begin(), part.texts.end());
    }
    view.data = bytes;
  }
  return out;
}

Result<std::vector<Outputs>> split_rows(const Outputs& outputs, std::span<const uint64_t> rows) {
  uint64_t all = 0;
  for (uint64_t count : rows) all += count;
  std::vector<Outputs> out(rows.size());
  for (const Tensor& tensor : outputs) {
    const uint64_t each = all == 0 ? 0 : tensor.data.size() / all;
    const uint64_t texts = all == 0 ? 0 : tensor.texts.size() / all;
    if (tensor.shape.empty() || tensor.shape[0] != static_cast<int64_t>(all) ||
        each * all != tensor.data.size() || texts * all != tensor.texts.size())
      return fail(Code::internal, "the output '" + tensor.name + "' has other rows than went in");
    uint64_t at = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      Tensor part;
      part.name = tensor.name;
      part.type = tensor.type;
      part.shape = tensor.shape;
      part.shape[0] = static_cast<int64_t>(rows[i]);
      const auto data = std::span(tensor.data).subspan(at * each, rows[i] * each);
      part.data.assign(data.begin(), data.end());
      const auto strings = std::span(tensor.texts).subspan(at * texts, rows[i] * texts);
      part.texts.assign(strings.begin(), strings.end());
      at += rows[i];
      out[i].push_back(std::move(part));
    }
  }
  return out;
}

bool agree(const Outputs& one, const Outputs& other) {
  return std::ranges::equal(one, other, [](const Tensor& a, const Tensor& b) {
    if (a.name != b.name || a.type != b.type || a.shape != b.shape || a.texts != b.texts ||
        a.data.size() != b.data.size())
      return false;
    if (a.type == Datatype::fp32) return close_enough<float>(a.data, b.data);
    if (a.type == Datatype::fp64) return close_enough<double>(a.data, b.data);
    // Half floats differ in their last bits as well, and have no arithmetic here.
    return a.type == Datatype::fp16 || a.data == b.data;
  });
}

}  // namespace holdfast::inference
