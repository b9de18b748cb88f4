#include "inference/measure/difference.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace holdfast::inference {
namespace {

template <class T>
T at(const Tensor& tensor, uint64_t i) {
  T out;
  std::memcpy(&out, tensor.data.data() + i * sizeof(T), sizeof out);
  return out;
}

double from_half(uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const double sign = (half & 0x8000) != 0 ? -1 : 1, fraction = half & 0x3ff;
  if (exponent == 31) return fraction != 0 ? std::nan("") : sign * INFINITY;
  return exponent == 0 ? sign * std::ldexp(fraction, -24)
                       : sign * std::ldexp(fraction + 1024, exponent - 25);
}

// Neighbouring numbers are neighbouring integers, over zero too.
template <class Signed>
Signed ordered(Signed bits) {
  return bits >= 0 ? bits : static_cast<Signed>(std::numeric_limits<Signed>::min() - bits);
}
template <class Signed>
uint64_t distance(Signed a, Signed b) {
  const auto x = static_cast<__int128>(ordered(a)), y = static_cast<__int128>(ordered(b));
  return static_cast<uint64_t>(x > y ? x - y : y - x);
}

double value(const Tensor& tensor, uint64_t i) {
  switch (tensor.type) {
    case Datatype::boolean:
    case Datatype::uint8:
      return at<uint8_t>(tensor, i);
    case Datatype::uint16:
      return at<uint16_t>(tensor, i);
    case Datatype::uint32:
      return at<uint32_t>(tensor, i);
    case Datatype::uint64:
      return static_cast<double>(at<uint64_t>(tensor, i));
    case Datatype::int8:
      return at<int8_t>(tensor, i);
    case Datatype::int16:
      return at<int16_t>(tensor, i);
    case Datatype::int32:
      return at<int32_t>(tensor, i);
    case Datatype::int64:
      return static_cast<double>(at<int64_t>(tensor, i));
    case Datatype::fp16:
      return from_half(at<uint16_t>(tensor, i));
    case Datatype::fp32:
      return at<float>(tensor, i);
    case Datatype::fp64:
      return at<double>(tensor, i);
    case Datatype::bytes:
      break;
  }
  return 0;
}

uint64_t ulps(const Tensor& one, const Tensor& other, uint64_t i) {
  switch (one.type) {
    case Datatype::fp16:
      return distance(at<int16_t>(one, i), at<int16_t>(other, i));
    case Datatype::fp32:
      return distance(at<int32_t>(one, i), at<int32_t>(other, i));
    case Datatype::fp64:
      return distance(at<int64_t>(one, i), at<int64_t>(other, i));
    default:
      return 0;
  }
}

void compare_numbers(const Tensor& one, const Tensor& other, Difference& into) {
  const uint64_t count = one.data.size() / size_of(one.type);
  const uint64_t width = one.shape.empty() ? 1 : static_cast<uint64_t>(one.shape.back());
  uint64_t best_one = 0, best_other = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const double a = value(one, i), b = value(other, i);
    into.scale = std::max(into.scale, std::abs(a));
    if (!(std::isnan(a) && std::isnan(b)) && a != b) {
      const double far = std::abs(a - b);
      into.most = std::isnan(far) ? INFINITY : std::max(into.most, far);
      into.ulps = std::max(into.ulps, ulps(one, other, i));
    }
    if (i % width == 0) best_one = best_other = i;
    if (a > value(one, best_one)) best_one = i;
    if (b > value(other, best_other)) best_other = i;
    if (i % width == width - 1) {
      ++into.rows;
      into.same_best += best_one == best_other ? 1 : 0;
    }
  }
}

}  // namespace

void compare(const std::vector<Tensor>& one, const std::vector<Tensor>& other,
             std::vector<Difference>& into) {
  for (const Tensor& mine : one) {
    auto row = std::ranges::find(into, mine.name, &Difference::output);
    if (row == into.end()) {
      into.push_back({.output = mine.name, .datatype = std::string(to_string(mine.type))});
      row = std::prev(into.end());
    }
    const auto theirs = std::ranges::find(other, mine.name, &Tensor::name);
    if (theirs == other.end() || theirs->type != mine.type || theirs->shape != mine.shape ||
        theirs->data.size() != mine.data.size()) {
      row->equal = row->comparable = false;
      continue;
    }
    if (mine.type == Datatype::bytes) {
      if (mine.texts != theirs->texts) {
        row->equal = false;
        row->most = 1;
      }
      continue;
    }
    row->equal = row->equal && mine.data == theirs->data;
    compare_numbers(mine, *theirs, *row);
  }
}

}  // namespace holdfast::inference
