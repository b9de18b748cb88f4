#include <gtest/gtest.h>

#include <cstring>

#include "inference/http/codec.h"

namespace holdfast::inference {
namespace {

Signature one(Datatype type, std::vector<int64_t> shape) {
  Signature made;
  made.inputs.push_back({"x", type, std::move(shape)});
  made.outputs.push_back({"y", type, {-1}});
  return made;
}

TEST(Rows, EveryFormIsAccepted) {
  const Signature signature = one(Datatype::fp64, {-1, 2});
  for (const char* body :
       {R"({"data":[[0.1,2],[3,4e-5]]})", R"({"input_data":[[0.1,2],[3,4e-5]]})",
        R"({"input_data":{"columns":["a","b"],"index":[0,1],"data":[[0.1,2],[3,4e-5]]}})"}) {
    const auto parsed = parse_rows(body, signature);
    ASSERT_TRUE(parsed) << parsed.error().message();
    double values[4];
    ASSERT_EQ(parsed->inputs[0].data.size(), sizeof values);
    std::memcpy(values, parsed->inputs[0].data.data(), sizeof values);
    EXPECT_EQ(values[0], 0.1);
    EXPECT_EQ(values[3], 4e-5);
    EXPECT_EQ(parsed->inputs[0].shape, (std::vector<int64_t>{2, 2}));
  }
  EXPECT_EQ(
      parse_rows(R"({"data":[["a","b"]]})", one(Datatype::bytes, {-1, 2}))->inputs[0].texts[1],
      "b");
}

TEST(Rows, WhatIsWrongIsNamed) {
  const std::pair<const char*, const char*> rows[] = {
      {"", "not JSON"},
      {"[[1,2]]", "{\"data\":"},
      {"{}", "{\"data\":"},
      {R"({"data":7})", "list of rows"},
      {R"({"data":[]})", "at least one"},
      {R"({"data":[1,2]})", "[2]"},
      {R"({"data":[[1,2,3]]})", "[1,3]"},
      {R"({"data":[[1,2],[3]]})", "different lengths, 2 and 1"},
      {R"({"data":[[1,[2]]]})", "mixes"},
      {R"({"data":[[1,"a"]]})", "not a FP32"},
      {R"({"data":[[1,null]]})", "not a FP32"},
      {R"({"data":[[]]})", "[1,0]"},
  };
  for (const auto& [body, says] : rows) {
    const auto parsed = parse_rows(body, one(Datatype::fp32, {-1, 2}));
    ASSERT_FALSE(parsed) << body;
    EXPECT_EQ(parsed.error().code(), Code::invalid_argument);
    EXPECT_NE(parsed.error().message().find(says), std::string::npos) << body << "\n"
                                                                      << parsed.error().message();
  }
  Signature two = one(Datatype::fp32, {-1, 2});
  two.inputs.push_back({"x2", Datatype::fp32, {1}});
  EXPECT_EQ(parse_rows(R"({"data":[[1,2]]})", two).error().code(), Code::unsupported);
}

Tensor numbers(std::vector<int64_t> shape, std::vector<int32_t> values) {
  Tensor made;
  made.name = "y";
  made.type = Datatype::int32;
  made.shape = std::move(shape);
  const ByteView bytes = std::as_bytes(std::span(values));
  made.data.assign(bytes.begin(), bytes.end());
  return made;
}

TEST(Rows, AnswersAreNestedLikeTheirShape) {
  EXPECT_EQ(*write_rows({numbers({}, {7})}), "7");
  EXPECT_EQ(*write_rows({numbers({2}, {7, 8})}), "[7,8]");
  EXPECT_EQ(*write_rows({numbers({2, 1}, {7, 8})}), "[[7],[8]]");
  EXPECT_EQ(*write_rows({numbers({1, 2, 2}, {1, 2, 3, 4})}), "[[[1,2],[3,4]]]");
  EXPECT_EQ(*write_rows({numbers({0, 3}, {})}), "[]");
  EXPECT_EQ(*write_rows({numbers({2, 0}, {})}), "[[],[]]");
  Tensor other = numbers({1}, {9});
  other.name = "z\"";
  EXPECT_EQ(*write_rows({numbers({1}, {7}), other}), R"({"y":[7],"z\"":[9]})");
  EXPECT_EQ(*write_rows({}), "{}");
}

}  // namespace
}  // namespace holdfast::inference
