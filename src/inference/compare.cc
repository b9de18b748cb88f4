#include "inference/compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace holdfast::inference {
namespace {

template <class T>
std::vector<double> numbers(ByteView data) {
  std::vector<double> out(data.size() / sizeof(T));
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(value);
  }
  return out;
}

std::vector<double> numbers_of(const Tensor& tensor) {
  if (tensor.type == Datatype::fp16) return numbers<_Float16>(tensor.data);
  return tensor.type == Datatype::fp32 ? numbers<float>(tensor.data) : numbers<double>(tensor.data);
}

double difference(double one, double other) {
  if (one == other || (std::isnan(one) && std::isnan(other))) return 0;
  const double apart = std::abs(one - other);
  return std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart;
}

void compare_floats(const Tensor& one, const Tensor& other, double tolerance, Comparison& out) {
  const std::vector<double> a = numbers_of(one), b = numbers_of(other);
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, difference(a[i], b[i]));
  out.max_difference = std::max(out.max_difference, most);
  const auto width = static_cast<size_t>(one.shape.empty() ? 1 : one.shape.back());
  if (one.shape.size() < 2 || width < 2) {
    out.over = out.over || most > tolerance;
    return;
  }
  const auto largest = [width](const std::vector<double>& of, size_t row) {
    const auto begin = of.begin() + static_cast<ptrdiff_t>(row);
    return std::max_element(begin, begin + static_cast<ptrdiff_t>(width)) - begin;
  };
  for (size_t row = 0; row + width <= a.size(); row += width) {
    if (largest(a, row) != largest(b, row)) out.other_class = true;
  }
}

}  // namespace

Comparison compare(const Outputs& one, const Outputs& other, double tolerance) {
  Comparison out;
  const auto form = [](const Tensor& a, const Tensor& b) {
    return a.name == b.name && a.type == b.type && a.shape == b.shape &&
           a.data.size() == b.data.size();
  };
  out.other_form = !std::ranges::equal(one, other, form);
  if (out.other_form) return out;
  for (size_t i = 0; i < one.size(); ++i) {
    const Datatype type = one[i].type;
    if (type == Datatype::fp16 || type == Datatype::fp32 || type == Datatype::fp64)
      compare_floats(one[i], other[i], tolerance, out);
    else if (one[i].data != other[i].data || one[i].texts != other[i].texts)
      out.other_exact = true;
  }
  return out;
}

}  // namespace holdfast::inference
