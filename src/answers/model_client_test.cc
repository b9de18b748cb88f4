#include "answers/model_client.h"

#include <gtest/gtest.h>

namespace holdfast::answers {
namespace {

using transform::Type;

ModelInput input(std::string datatype, std::vector<int64_t> shape) {
  return {"x", std::move(datatype), std::move(shape)};
}

TEST(FittedShape, AddsTheBatchDimension) {
  EXPECT_EQ(*fitted_shape(input("FP32", {-1, 64}), Type::float32, {64}),
            (std::vector<int64_t>{1, 64}));
  EXPECT_EQ(*fitted_shape(input("FP32", {1, 3, -1, -1}), Type::float32, {3, 8, 9}),
            (std::vector<int64_t>{1, 3, 8, 9}));
  EXPECT_EQ(*fitted_shape(input("UINT8", {64}), Type::uint8, {64}), (std::vector<int64_t>{64}));
}

TEST(FittedShape, SaysWhatDoesNotFit) {
  for (const ModelInput& bad :
       {input("FP32", {-1, 63}), input("FP64", {-1, 64}), input("FP32", {2, 64}),
        input("FP32", {-1, 8, 8}), input("FP32", {})}) {
    const auto shape = fitted_shape(bad, Type::float32, {64});
    ASSERT_FALSE(shape);
    EXPECT_EQ(shape.error().code(), Code::conflict);
    EXPECT_EQ(shape.error().reason(), "model_mismatch");
  }
  EXPECT_EQ(fitted_shape(input("FP32", {-1, 63}), Type::float32, {64}).error().message(),
            "the recipe makes FP32 [64], the model's input 'x' is FP32 [-1,63]");
}

TEST(Metadata, IsRead) {
  const auto read = read_metadata(
      R"({"name":"m","inputs":[{"name":"X","datatype":"FP32","shape":[-1,64]}],"outputs":[]})");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->name, "X");
  EXPECT_EQ(read->shape, (std::vector<int64_t>{-1, 64}));
  EXPECT_EQ(read_metadata(R"({"inputs":[]})").error().reason(), "model_mismatch");
  for (const char* bad : {"", "{}", "[]", R"({"inputs":[{}]})",
                          R"({"inputs":[{"name":"X","datatype":"FP32","shape":["a"]}]})"})
    EXPECT_EQ(read_metadata(bad).error().code(), Code::internal) << bad;
}

TEST(Answer, OutputsLoseTheirBatchDimension) {
  const auto answer =
      read_answer(R"({"model_version":"3","parameters":{"model_digest":"sha256:ab"},"outputs":[
      {"name":"label","datatype":"INT64","shape":[1],"data":[7]},
      {"name":"p","datatype":"FP32","shape":[1,3],"data":[0.5,0.25,0.25]},
      {"name":"grid","datatype":"INT64","shape":[1,2,2],"data":[1,2,3,4]},
      {"name":"word","datatype":"BYTES","shape":[1],"data":["seven"]}]})");
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->version, "3");
  EXPECT_EQ(answer->digest, "sha256:ab");
  EXPECT_EQ(answer->outputs,
            R"({"label":7,"p":[5E-1,2.5E-1,2.5E-1],"grid":[[1,2],[3,4]],"word":"seven"})");
  for (const char* bad : {"", "{}", R"({"outputs":3})", R"({"outputs":[{"name":"a"}]})"})
    EXPECT_FALSE(read_answer(bad)) << bad;
}

TEST(Answer, ASideThatPromisesMoreThanTheDataIsHarmless) {
  const auto answer =
      read_answer(R"({"outputs":[{"name":"a","shape":[1,1000000000000],"data":[1]}]})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->outputs, R"({"a":[1]})");
}

}  // namespace
}  // namespace holdfast::answers
