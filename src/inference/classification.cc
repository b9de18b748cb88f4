#include "inference/classification.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace holdfast::inference {
namespace {

template <class T>
void best_of(const Tensor& tensor, uint64_t rows, uint64_t width, uint64_t best, Tensor& out) {
  std::vector<T> values(width);
  std::vector<uint64_t> order(width);
  for (uint64_t row = 0; row < rows; ++row) {
    std::memcpy(values.data(), tensor.data.data() + row * width * sizeof(T), width * sizeof(T));
    std::iota(order.begin(), order.end(), 0);
    const auto before = [&values](uint64_t a, uint64_t b) {
      const bool a_is = values[a] == values[a], b_is = values[b] == values[b];  // NaN is not
      if (!a_is || !b_is) return a_is != b_is ? a_is : a < b;
      return values[a] != values[b] ? values[a] > values[b] : a < b;
    };
    std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(best), order.end(),
                      before);
    for (uint64_t i = 0; i < best; ++i)
      out.texts.push_back(std::to_string(values[order[i]]) + ":" + std::to_string(order[i]));
  }
}

}  // namespace

Result<Tensor> classify(const Tensor& tensor, uint64_t classes) {
  if (classes == 0)
    return fail(Code::invalid_argument,
                "output '" + tensor.name + "': classification wants a number of classes from 1");
  const bool batch = tensor.shape.size() > 1;
  TRY(const uint64_t count, element_count(tensor.shape));
  const uint64_t rows = batch ? static_cast<uint64_t>(tensor.shape[0]) : 1;
  const uint64_t width = rows == 0 ? 0 : count / rows;
  const uint64_t best = std::min(classes, width);
  Tensor out;
  out.name = tensor.name;
  out.type = Datatype::bytes;
  if (batch) out.shape.push_back(tensor.shape[0]);
  out.shape.push_back(static_cast<int64_t>(best));
  const auto fill = [&]<class T>(T) { best_of<T>(tensor, rows, width, best, out); };
  switch (tensor.type) {
    case Datatype::uint8:
      fill(uint8_t());
      break;
    case Datatype::uint16:
      fill(uint16_t());
      break;
    case Datatype::uint32:
      fill(uint32_t());
      break;
    case Datatype::uint64:
      fill(uint64_t());
      break;
    case Datatype::int8:
      fill(int8_t());
      break;
    case Datatype::int16:
      fill(int16_t());
      break;
    case Datatype::int32:
      fill(int32_t());
      break;
    case Datatype::int64:
      fill(int64_t());
      break;
    case Datatype::fp32:
      fill(float());
      break;
    case Datatype::fp64:
      fill(double());
      break;
    default:
      return fail(Code::invalid_argument, "output '" + tensor.name + "' of the datatype " +
                                              std::string(to_string(tensor.type)) +
                                              " cannot be classified");
  }
  return out;
}

}  // namespace holdfast::inference
