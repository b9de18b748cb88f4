#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "inference/http/codec.h"

namespace holdfast::inference {
namespace {

template <class T>
Tensor tensor(Datatype type, std::vector<T> values, const std::string& name = "y") {
  Tensor made;
  made.name = name;
  made.type = type;
  made.shape = {static_cast<int64_t>(values.size())};
  const ByteView bytes = std::as_bytes(std::span(values));
  made.data.assign(bytes.begin(), bytes.end());
  return made;
}

Tensor texts(std::vector<std::string> values, const std::string& name = "t") {
  Tensor made;
  made.name = name;
  made.type = Datatype::bytes;
  made.shape = {static_cast<int64_t>(values.size())};
  made.texts = std::move(values);
  return made;
}

Loaded model() {
  return Loaded{.name = "m", .version = 3, .digest = "sha256:ab"};
}

std::string data_of(const Tensor& tensor) {
  const auto body = write_infer(model(), InferRequest(), {tensor});
  const size_t at = body->bytes.find("\"data\":") + 7;
  return body->bytes.substr(at, body->bytes.size() - at - 3);
}

TEST(Encode, EveryTypeHasItsJsonForm) {
  EXPECT_EQ(data_of(tensor<uint8_t>(Datatype::boolean, {1, 0})), "[true,false]");
  EXPECT_EQ(data_of(tensor<uint8_t>(Datatype::uint8, {0, 255})), "[0,255]");
  EXPECT_EQ(data_of(tensor<uint16_t>(Datatype::uint16, {65535})), "[65535]");
  EXPECT_EQ(data_of(tensor<uint32_t>(Datatype::uint32, {UINT32_MAX})), "[4294967295]");
  EXPECT_EQ(data_of(tensor<uint64_t>(Datatype::uint64, {UINT64_MAX})), "[18446744073709551615]");
  EXPECT_EQ(data_of(tensor<int8_t>(Datatype::int8, {-128, 65})), "[-128,65]");
  EXPECT_EQ(data_of(tensor<int16_t>(Datatype::int16, {-32768})), "[-32768]");
  EXPECT_EQ(data_of(tensor<int32_t>(Datatype::int32, {INT32_MIN})), "[-2147483648]");
  EXPECT_EQ(data_of(tensor<int64_t>(Datatype::int64, {INT64_MIN})), "[-9223372036854775808]");
  EXPECT_EQ(data_of(tensor<double>(Datatype::fp64, {0.1, 1e300})), "[0.1,1e+300]");
  EXPECT_EQ(data_of(tensor<float>(Datatype::fp32, {})), "[]");
  // 0, 1, -2, the largest, the smallest, infinity, NaN.
  EXPECT_EQ(data_of(tensor<uint16_t>(Datatype::fp16,
                                     {0, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x7e00})),
            "[0,1,-2,65504,5.9604645e-08,null,null]");
  EXPECT_EQ(data_of(texts({"", "a\"\\\n", "ü", std::string("a\0b", 3)})),
            R"(["","a\"\\\n","ü","a\u0000b"])");
}

TEST(Encode, FloatsComeBackExactly) {
  for (float value : {0.1F, -1.0F / 3, 1e-45F, std::numeric_limits<float>::max(), 16777217.0F}) {
    const std::string text = data_of(tensor<float>(Datatype::fp32, {value}));
    EXPECT_EQ(std::strtof(text.c_str() + 1, nullptr), value) << text;
  }
  EXPECT_EQ(data_of(tensor<float>(Datatype::fp32, {NAN, INFINITY, -INFINITY})), "[null,null,null]");
}

TEST(Encode, BinaryTensorsFollowInTheirOrder) {
  InferRequest request;
  request.id = "i\"d";
  request.outputs = {{"a", true}, {"t", false}, {"u", true}};
  const auto body = write_infer(
      model(), request,
      {tensor<uint8_t>(Datatype::uint8, {7, 8}, "a"), texts({"json"}), texts({"x", ""}, "u")});
  const size_t json_size = body->json_size.value_or(0);
  EXPECT_EQ(
      body->bytes.substr(0, json_size),
      R"({"model_name":"m","model_version":"3","id":"i\"d","parameters":{"model_digest":"sha256:ab"},)"
      R"("outputs":[{"name":"a","datatype":"UINT8","shape":[2],"parameters":{"binary_data_size":2}},)"
      R"({"name":"t","datatype":"BYTES","shape":[1],"data":["json"]},)"
      R"({"name":"u","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":9}}]})");
  EXPECT_EQ(body->bytes.substr(json_size), std::string("\7\10\1\0\0\0x\0\0\0\0", 11));
}

TEST(Encode, BytesThatAreNoTextNeedTheBinaryForm) {
  const Tensor odd = texts({"fine", "\xff\xfe"});
  const auto refused = write_infer(model(), InferRequest(), {odd});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::unsupported);
  EXPECT_NE(refused.error().message().find("'t'"), std::string::npos);
  EXPECT_FALSE(write_rows({odd}));
  InferRequest binary;
  binary.binary_output = true;
  EXPECT_TRUE(write_infer(model(), binary, {odd}));
  EXPECT_EQ(json_text("a\xff\"b"), R"("a?\"b")");  // an error must be JSON whatever was asked for
}

}  // namespace
}  // namespace holdfast::inference
