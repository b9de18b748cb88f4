#include "inference/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace holdfast::inference {
namespace {

template <class T>
Tensor tensor(Datatype type, std::vector<int64_t> shape, const std::vector<T>& values) {
  Tensor out;
  out.name = "y";
  out.type = type;
  out.shape = std::move(shape);
  out.data.resize(values.size() * sizeof(T));
  std::memcpy(out.data.data(), values.data(), out.data.size());
  return out;
}
Tensor scores(const std::vector<float>& values) {
  return tensor(Datatype::fp32, {static_cast<int64_t>(values.size() / 3), 3}, values);
}
Tensor texts(std::vector<std::string> values) {
  Tensor out;
  out.name = "y";
  out.type = Datatype::bytes;
  out.shape = {static_cast<int64_t>(values.size())};
  out.texts = std::move(values);
  return out;
}

TEST(Compare, RowsOfClassesDifferByTheirLargest) {
  Comparison got = compare({scores({.1F, .7F, .2F})}, {scores({.2F, .5F, .3F})}, 1e-3);
  EXPECT_FALSE(got.other_class || got.over || got.other_form || got.other_exact);
  EXPECT_NEAR(got.max_difference, .2, 1e-6);
  got = compare({scores({1, 0, 0, 0, 1, 0})}, {scores({1, 0, 0, 0, 0, 1})}, 1e-3);
  EXPECT_TRUE(got.other_class) << "the second row";
}

TEST(Compare, OtherFloatsDifferByTheirTolerance) {
  for (const double apart : {0.5e-3, 2e-3}) {
    const auto one = tensor<double>(Datatype::fp64, {2}, {1, 2}),
               other = tensor<double>(Datatype::fp64, {2}, {1, 2 + apart});
    EXPECT_EQ(compare({one}, {other}, 1e-3).over, apart > 1e-3);
  }
  const auto half = [](float value) {
    return tensor<_Float16>(Datatype::fp16, {1, 1}, {static_cast<_Float16>(value)});
  };
  EXPECT_TRUE(compare({half(1)}, {half(2)}, .5).over);
  EXPECT_FALSE(compare({half(1)}, {half(2)}, 1).over);
}

TEST(Compare, WhatIsNoNumberEqualsItselfAlone) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                  kInfinity = std::numeric_limits<float>::infinity();
  const auto one = [](float value) { return Outputs{tensor<float>(Datatype::fp32, {1}, {value})}; };
  EXPECT_EQ(compare(one(kNan), one(kNan), 0).max_difference, 0);
  EXPECT_EQ(compare(one(kInfinity), one(kInfinity), 0).max_difference, 0);
  EXPECT_TRUE(std::isinf(compare(one(kNan), one(1), 0).max_difference));
  EXPECT_TRUE(compare(one(1), one(kInfinity), 1e9).over);
}

TEST(Compare, NumbersAndTextsAreExact) {
  const auto labels = [](int64_t value) {
    return Outputs{tensor<int64_t>(Datatype::int64, {1}, {value})};
  };
  EXPECT_FALSE(compare(labels(1), labels(1), 9).other_exact);
  EXPECT_TRUE(compare(labels(1), labels(2), 9).other_exact);
  EXPECT_FALSE(compare({texts({"a", "b"})}, {texts({"a", "b"})}, 9).other_exact);
  EXPECT_TRUE(compare({texts({"a", "b"})}, {texts({"a", "c"})}, 9).other_exact);
}

TEST(Compare, OtherFormsAreTold) {
  const Tensor one = scores({1, 2, 3});
  EXPECT_TRUE(compare({one}, {one, one}, 1).other_form);
  EXPECT_TRUE(compare({one}, {scores({1, 2, 3, 4, 5, 6})}, 1).other_form);
  EXPECT_TRUE(compare({one}, {texts({"a"})}, 1).other_form);
  EXPECT_FALSE(compare({}, {}, 1).other_form);
  EXPECT_FALSE(compare({scores({})}, {scores({})}, 1).other_class);
}

}  // namespace
}  // namespace holdfast::inference
