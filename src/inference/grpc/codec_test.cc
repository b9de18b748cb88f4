#include "inference/grpc/codec.h"

#include <gtest/gtest.h>

#include <cstring>

namespace holdfast::inference::grpc_door {
namespace {

Signature one(Datatype type, std::vector<int64_t> shape = {-1, 2}) {
  return {.inputs = {{"x", type, std::move(shape)}}, .outputs = {{"y", type, {-1, 2}}}};
}

pb::ModelInferRequest request(const std::string& datatype, std::vector<int64_t> shape = {1, 2}) {
  pb::ModelInferRequest made;
  auto& input = *made.add_inputs();
  input.set_name("x");
  input.set_datatype(datatype);
  input.mutable_shape()->Assign(shape.begin(), shape.end());
  return made;
}

std::string error_of(const pb::ModelInferRequest& made, const Signature& signature) {
  const auto parsed = parse(made, signature);
  return parsed ? ""
                : std::string(to_string(parsed.error().code())) + ": " + parsed.error().message();
}

TEST(GrpcCodec, RawContentsAreUsedWhereTheyLie) {
  auto made = request("FP32", {2, 2});
  *made.add_raw_input_contents() = std::string(16, '\1');
  const auto parsed = parse(made, one(Datatype::fp32));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->inputs[0].data.size(), 16U);
  EXPECT_EQ(static_cast<const void*>(parsed->inputs[0].data.data()),
            made.raw_input_contents(0).data());
}

TEST(GrpcCodec, TypedContentsAreNarrowed) {
  auto made = request("INT8");
  made.mutable_inputs(0)->mutable_contents()->add_int_contents(-128);
  made.mutable_inputs(0)->mutable_contents()->add_int_contents(127);
  const auto parsed = parse(made, one(Datatype::int8));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(as_text(parsed->inputs[0].data), "\x80\x7f");
  made.mutable_inputs(0)->mutable_contents()->set_int_contents(1, 128);
  EXPECT_EQ(error_of(made, one(Datatype::int8)),
            "invalid_argument: input 'x': an element is not a INT8");
}

TEST(GrpcCodec, WhatIsWrongIsNamed) {
  auto made = request("FP32");
  EXPECT_NE(error_of(made, one(Datatype::fp32)).find("0 elements"), std::string::npos);
  *made.add_raw_input_contents() = std::string(7, '\0');
  EXPECT_NE(error_of(made, one(Datatype::fp32)).find("7 bytes"), std::string::npos);
  made.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_NE(error_of(made, one(Datatype::fp32)).find("one or the other"), std::string::npos);
  made.mutable_inputs(0)->clear_contents();
  *made.add_raw_input_contents() = "more";
  EXPECT_NE(error_of(made, one(Datatype::fp32)).find("2 raw_input_contents"), std::string::npos);
  EXPECT_NE(error_of(request("FP33"), one(Datatype::fp32)).find("FP33"), std::string::npos);
  EXPECT_NE(error_of(request("FP16"), one(Datatype::fp16)).find("FP16"), std::string::npos);
  EXPECT_NE(error_of({}, one(Datatype::fp32)).find("0 inputs"), std::string::npos);
}

TEST(GrpcCodec, NothingIsAllocatedForAShapeThatIsNotFilled) {
  const auto huge = request("INT64", {int64_t{1} << 39, 2});
  EXPECT_NE(error_of(huge, one(Datatype::int64)).find("0 elements"), std::string::npos);
  const auto over = request("INT64", {int64_t{1} << 62, 2});
  EXPECT_TRUE(error_of(over, one(Datatype::int64)).starts_with("too_large"));
  const auto negative = request("INT64", {-1, 2});
  EXPECT_TRUE(error_of(negative, one(Datatype::int64)).starts_with("invalid_argument"));
}

TEST(GrpcCodec, TextsAreCutByTheirLengths) {
  auto made = request("BYTES");
  std::string& raw = *made.add_raw_input_contents();
  raw = std::string("\1\0\0\0a\0\0\0\0", 9);
  const auto parsed = parse(made, one(Datatype::bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->inputs[0].texts, (std::vector<std::string_view>{"a", ""}));
  raw.back() = '\x7f';
  EXPECT_NE(error_of(made, one(Datatype::bytes)), "");
}

TEST(GrpcCodec, ParametersThatCount) {
  auto made = request("FP32");
  *made.add_raw_input_contents() = std::string(8, '\0');
  (*made.mutable_parameters())["priority"].set_uint64_param(2);
  (*made.mutable_parameters())["timeout"].set_int64_param(1500);
  auto& output = *made.add_outputs();
  output.set_name("y");
  (*output.mutable_parameters())["classification"].set_int64_param(3);
  const auto parsed = parse(made, one(Datatype::fp32));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->priority, 2U);
  EXPECT_EQ(parsed->timeout_us, 1500);
  EXPECT_EQ(parsed->classes, std::vector<uint64_t>{3});
  (*made.mutable_parameters())["timeout"].set_int64_param(-1);
  EXPECT_NE(error_of(made, one(Datatype::fp32)).find("timeout"), std::string::npos);
  made.clear_parameters();
  (*output.mutable_parameters())["shared_memory_region"].set_string_param("r");
  EXPECT_TRUE(error_of(made, one(Datatype::fp32)).starts_with("unsupported"));
}

TEST(GrpcCodec, EachCodeHasAStatus) {
  EXPECT_EQ(to_status(Error(Code::not_found, "m")).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(to_status(Error(Code::unavailable, "queue_full", "m")).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(to_status(Error(Code::timed_out, "m")).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(to_status(Error(Code::unsupported, "m")).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(to_status(Error(Code::too_large, "m")).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace holdfast::inference::grpc_door
