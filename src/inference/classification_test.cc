#include "inference/classification.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace holdfast::inference {
namespace {

template <class T>
Tensor made(Datatype type, std::vector<int64_t> shape, const std::vector<T>& values) {
  Tensor tensor;
  tensor.name = "y";
  tensor.type = type;
  tensor.shape = std::move(shape);
  tensor.data.resize(values.size() * sizeof(T));
  std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
  return tensor;
}

using Texts = std::vector<std::string>;

TEST(Classification, TheBestOfEachRowComeFirst) {
  const auto out =
      *classify(made<float>(Datatype::fp32, {2, 3}, {0.25F, 0.5F, 0.125F, 3, 1, 2}), 2);
  EXPECT_EQ(out.texts, (Texts{"0.500000:1", "0.250000:0", "3.000000:0", "2.000000:2"}));
  EXPECT_EQ(out.shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(out.type, Datatype::bytes);
}

TEST(Classification, OneDimensionIsOneRow) {
  const auto out = *classify(made<int64_t>(Datatype::int64, {3}, {-5, 7, 7}), 9);
  EXPECT_EQ(out.texts, (Texts{"7:1", "7:2", "-5:0"}));
  EXPECT_EQ(out.shape, (std::vector<int64_t>{3}));
}

TEST(Classification, NotANumberIsTheWorst) {
  const auto out =
      *classify(made<double>(Datatype::fp64, {4}, {std::nan(""), -1, std::nan(""), 2}), 4);
  EXPECT_EQ(out.texts[0], "2.000000:3");
  EXPECT_EQ(out.texts[1], "-1.000000:1");
  EXPECT_TRUE(out.texts[2].ends_with(":0") && out.texts[3].ends_with(":2"));
}

TEST(Classification, NoRowsAndNoColumns) {
  EXPECT_EQ(classify(made<float>(Datatype::fp32, {0, 3}, {}), 2)->texts.size(), 0U);
  EXPECT_EQ(classify(made<float>(Datatype::fp32, {2, 0}, {}), 2)->shape,
            (std::vector<int64_t>{2, 0}));
}

TEST(Classification, WhatCannotBeOrderedIsRefused) {
  EXPECT_EQ(classify(made<uint16_t>(Datatype::fp16, {1}, {0}), 1).error().code(),
            Code::invalid_argument);
  EXPECT_EQ(classify(made<float>(Datatype::fp32, {1}, {0}), 0).error().code(),
            Code::invalid_argument);
}

}  // namespace
}  // namespace holdfast::inference
