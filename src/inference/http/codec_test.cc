#include "inference/http/codec.h"

#include <gtest/gtest.h>

#include <cstring>

namespace holdfast::inference {
namespace {

Signature of(std::vector<TensorInfo> inputs) {
  Signature made;
  made.inputs = std::move(inputs);
  made.outputs.push_back({"y", Datatype::fp32, {-1, 2}});
  made.outputs.push_back({"z", Datatype::fp32, {-1, 2}});
  return made;
}
const Signature kFloat = of({{"x", Datatype::fp32, {-1, 2}}});

template <class T>
std::vector<T> values(const TensorView& view) {
  std::vector<T> out(view.data.size() / sizeof(T));
  std::memcpy(out.data(), view.data.data(), view.data.size());
  return out;
}

template <class T>
std::string raw(std::vector<T> from) {
  return std::string(as_text(std::as_bytes(std::span(from))));
}

std::string json(const std::string& fields, const std::string& type = "FP32") {
  return R"({"inputs":[{"name":"x","datatype":")" + type + "\"," + fields + "}]}";
}

std::string error_of(const std::string& body, const Signature& signature = kFloat,
                     std::optional<uint64_t> json_size = std::nullopt) {
  const auto parsed = parse_infer(body, json_size, signature);
  if (parsed) return "(accepted)";
  EXPECT_TRUE(parsed.error().code() == Code::invalid_argument ||
              parsed.error().code() == Code::too_large)
      << parsed.error().message();
  return parsed.error().message();
}

TEST(InferJson, FlatAndNestedDataAreTheSame) {
  for (const char* data : {"[1,2.5,3,-4]", "[[1,2.5],[3,-4]]"}) {
    const auto parsed =
        parse_infer(json(R"("shape":[2,2],"data":)" + std::string(data)), std::nullopt, kFloat);
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(values<float>(parsed->inputs[0]), (std::vector<float>{1, 2.5, 3, -4}));
    EXPECT_EQ(parsed->inputs[0].shape, (std::vector<int64_t>{2, 2}));
    EXPECT_TRUE(parsed->outputs.empty());
  }
}

template <class T>
void limits(Datatype type, const std::string& low, const std::string& high, const std::string& over,
            T least, T most) {
  const Signature signature = of({{"x", type, {-1}}});
  const std::string name(to_string(type));
  const auto parsed = parse_infer(json(R"("shape":[2],"data":[)" + low + "," + high + "]", name),
                                  std::nullopt, signature);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(values<T>(parsed->inputs[0]), (std::vector<T>{least, most}));
  for (const std::string& wrong :
       {over, std::string("\"1\""), std::string("null"), std::string("{}")})
    EXPECT_EQ(error_of(json(R"("shape":[1],"data":[)" + wrong + "]", name), signature),
              "input 'x': an element is not a " + name);
}

TEST(InferJson, EveryTypeHasItsLimits) {
  limits<uint8_t>(Datatype::uint8, "0", "255", "256", 0, 255);
  limits<uint16_t>(Datatype::uint16, "0", "65535", "65536", 0, 65535);
  limits<uint32_t>(Datatype::uint32, "0", "4294967295", "-1", 0, UINT32_MAX);
  limits<uint64_t>(Datatype::uint64, "0", "18446744073709551615", "-1", 0, UINT64_MAX);
  limits<int8_t>(Datatype::int8, "-128", "127", "128", -128, 127);
  limits<int16_t>(Datatype::int16, "-32768", "32767", "-32769", -32768, 32767);
  limits<int32_t>(Datatype::int32, "-2147483648", "2147483647", "2147483648", INT32_MIN, INT32_MAX);
  limits<int64_t>(Datatype::int64, "-9223372036854775808", "9223372036854775807", "1.5", INT64_MIN,
                  INT64_MAX);
  limits<float>(Datatype::fp32, "-3.5", "3", "1e39", -3.5F, 3);
  limits<double>(Datatype::fp64, "-1e300", "1e300", "true", -1e300, 1e300);
  const Signature flags = of({{"x", Datatype::boolean, {-1}}});
  const auto parsed =
      parse_infer(json(R"("shape":[4],"data":[true,false,1,0])", "BOOL"), std::nullopt, flags);
  EXPECT_EQ(values<uint8_t>(parsed->inputs[0]), (std::vector<uint8_t>{1, 0, 1, 0}));
  EXPECT_NE(error_of(json(R"("shape":[1],"data":[1])", "FP16"), of({{"x", Datatype::fp16, {-1}}}))
                .find("binary"),
            std::string::npos);
}

TEST(InferJson, TextsMayHoldAnything) {
  const Signature texts = of({{"x", Datatype::bytes, {-1, 2}}});
  std::string many = "[";
  for (int i = 0; i < 3000; ++i) many += (i == 0 ? "" : ",") + ("\"" + std::to_string(i) + "\"");
  const auto parsed =
      parse_infer(json(R"("shape":[1500,2],"data":)" + many + "]", "BYTES"), std::nullopt, texts);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->inputs[0].texts[0], "0");
  EXPECT_EQ(parsed->inputs[0].texts[2999], "2999");
  const auto odd = parse_infer(json(R"("shape":[1,2],"data":["a\u0000b","\u00fc\n"])", "BYTES"),
                               std::nullopt, texts);
  EXPECT_EQ(odd->inputs[0].texts[0], std::string_view("a\0b", 3));
  EXPECT_EQ(odd->inputs[0].texts[1], "ü\n");
  EXPECT_NE(error_of(json(R"("shape":[1,2],"data":["a",1])", "BYTES"), texts).find("texts"),
            std::string::npos);
}

struct Wrong {
  const char* body;
  const char* says;
};
const Wrong kWrong[] = {
    {"", "not JSON"},
    {"{", "not JSON"},
    {"\xff", "not JSON"},
    {"[1]", "object"},
    {"{}", "'inputs'"},
    {R"({"id":7,"inputs":[]})", "'id'"},
    {R"({"inputs":{}})", "'inputs'"},
    {R"({"inputs":[]})", "wants 1: x"},
    {R"({"inputs":[1]})", "no name"},
    {R"({"inputs":[{}]})", "no name"},
    {R"({"inputs":[{"name":"x"}]})", "datatype"},
    {R"({"inputs":[{"name":"x","datatype":"FP33"}]})", "FP33"},
    {R"({"inputs":[{"name":"x","datatype":"FP32"}]})", "shape"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1.5,2],"data":[1,2]}]})", "shape"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2]}]})", "either data or"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2],"parameters":{"binary_data_size":8}}]})",
     "either data or"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":-1}}]})",
     "binary_data_size"},
    {R"({"inputs":[{"name":"q","datatype":"FP32","shape":[1,2],"data":[1,2]}]})", "no input 'q'"},
    {R"({"inputs":[{"name":"x","datatype":"FP64","shape":[1,2],"data":[1,2]}]})", "FP64"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[1,2,3]}]})", "[1,3]"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[1,2]}]})", "[-1,2]"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[-1,2],"data":[1,2]}]})", "input 'x'"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[4611686018427387904,2],"data":[1]}]})",
     "too many"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[2,2],"data":[1,2]}]})", "wants 4"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2,3]}]})", "has 3"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[[1,[2]]]}]})", "mixes"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[[1],2]}]})", "mixes"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[2,2],"data":[[1],[2,3,4]]}]})",
     "different lengths, 1 and 3"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[3,2],"data":[[1,2,3],[4,5,6]]}]})",
     "nested as [2,3]"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}],"outputs":"y"})",
     "'outputs'"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}],"outputs":[{}]})",
     "no name"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}],"outputs":[{"name":"q"}]})",
     "no output 'q'"},
    {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}],"outputs":[{"name":"y"},{"name":"y"}]})",
     "twice"},
};

TEST(InferJson, WhatIsWrongIsNamed) {
  for (const Wrong& row : kWrong)
    EXPECT_NE(error_of(row.body).find(row.says), std::string::npos) << row.body << "\n"
                                                                    << error_of(row.body);
  const Signature two = of({{"a", Datatype::fp32, {1}}, {"b", Datatype::fp32, {1}}});
  const std::string a = R"({"name":"a","datatype":"FP32","shape":[1],"data":[1]})";
  EXPECT_EQ(error_of("{\"inputs\":[" + a + "," + a + "]}", two), "input 'a' is there twice");
}

// Once, arrays below the 32nd level were written without being counted.
TEST(InferJson, ElementsThatHideDeepAreNotWritten) {
  for (int depth : {15, 16, 17, 31, 32, 33, 34, 1000, 2000}) {
    std::string hidden = "1";
    for (int i = 0; i < 5000; ++i) hidden += ",1";
    const std::string deep = std::string(static_cast<size_t>(depth), '[') + hidden +
                             std::string(static_cast<size_t>(depth), ']');
    for (const std::string& data : {deep, "[1," + deep + "]"})
      EXPECT_NE(error_of(json(R"("shape":[1,2],"data":)" + data)), "(accepted)") << depth;
  }
}

std::string header(uint64_t size, const std::string& shape = "[1,2]") {
  return json("\"shape\":" + shape + R"(,"parameters":{"binary_data_size":)" +
              std::to_string(size) + "}");
}

TEST(InferBinary, ElementsAreReadWhereverTheyLie) {
  for (size_t pad = 0; pad < 9; ++pad) {
    std::string head = header(8);
    head.insert(1, pad, ' ');
    const std::string body = head + raw<float>({1.5, -2});
    const auto parsed = parse_infer(body, head.size(), kFloat);
    ASSERT_TRUE(parsed) << parsed.error().message();
    const TensorView& x = parsed->inputs[0];
    EXPECT_EQ(values<float>(x), (std::vector<float>{1.5, -2}));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.data.data()) % alignof(float), 0U) << pad;
  }
}

TEST(InferBinary, SizesThatLie) {
  const std::string right = raw<float>({1, 2});
  const auto says = [&](const std::string& head, const std::string& binary, uint64_t size) {
    return error_of(head + binary, kFloat, size);
  };
  const std::string head = header(8);
  EXPECT_EQ(says(head, right, head.size()), "(accepted)");
  EXPECT_NE(says(head, right.substr(1), head.size()).find("shorter"), std::string::npos);
  EXPECT_NE(says(head, right + "x", head.size()).find("longer"), std::string::npos);
  EXPECT_NE(says(head, right, head.size() - 1).find("not JSON"), std::string::npos);
  EXPECT_NE(says(head, right, 1 << 20).find("larger than the body"), std::string::npos);
  EXPECT_NE(says(head, right, UINT64_MAX).find("larger than the body"), std::string::npos);
  for (uint64_t size : {uint64_t{7}, uint64_t{9}, uint64_t{1} << 62, UINT64_MAX})
    EXPECT_NE(says(header(size), right, header(size).size()), "(accepted)") << size;
  const std::string many = header(8, "[2,2]");
  EXPECT_NE(says(many, right, many.size()).find("want 16"), std::string::npos);
  const std::string huge = header(0, "[4611686018427387904,2]");
  EXPECT_NE(says(huge, "", huge.size()).find("too many"), std::string::npos);
}

TEST(InferBinary, Texts) {
  const Signature texts = of({{"x", Datatype::bytes, {-1, 2}}});
  const auto says = [&](const std::string& binary, const std::string& shape = "[1,2]") {
    const std::string head = json("\"shape\":" + shape + R"(,"parameters":{"binary_data_size":)" +
                                      std::to_string(binary.size()) + "}",
                                  "BYTES");
    return error_of(head + binary, texts, head.size());
  };
  const std::string a("\1\0\0\0a", 5), none("\0\0\0\0", 4), nul("\2\0\0\0\0b", 6);
  EXPECT_EQ(says(a + none), "(accepted)");
  EXPECT_EQ(says(nul + a), "(accepted)");
  EXPECT_EQ(says("", "[0,2]"), "(accepted)");
  for (const std::string& bad : {std::string(), a, a + a + a, a + a.substr(0, 4), a + "\1",
                                 a + std::string("\xff\xff\xff\xff", 4)})
    EXPECT_NE(says(bad).find("BYTES elements"), std::string::npos);
  EXPECT_NE(says(a + none, "[549755813888,2]").find("BYTES elements"), std::string::npos);
}

TEST(InferBinary, ABoolIsZeroOrOne) {
  const Signature flags = of({{"x", Datatype::boolean, {-1}}});
  const std::string head = json(R"("shape":[2],"parameters":{"binary_data_size":2})", "BOOL");
  EXPECT_EQ(error_of(head + std::string("\0\1", 2), flags, head.size()), "(accepted)");
  EXPECT_EQ(error_of(head + std::string("\0\2", 2), flags, head.size()),
            "input 'x': a BOOL element is a byte 0 or 1");
}

TEST(InferBinary, ABodyThatIsTheTensor) {
  const auto parsed = parse_infer(raw<float>({1, 2}), 0, kFloat);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->inputs[0].shape, (std::vector<int64_t>{1, 2}));
  EXPECT_TRUE(parsed->binary_output);
  const Signature open = of({{"x", Datatype::fp32, {-1, 2, -1}}});
  EXPECT_EQ(parse_infer(raw<float>({1, 2, 3, 4, 5, 6}), 0, open)->inputs[0].shape,
            (std::vector<int64_t>{1, 2, 3}));
  for (const std::string& wrong : {std::string(), raw<float>({1}), raw<float>({1, 2, 3, 4})})
    EXPECT_NE(error_of(wrong, kFloat, 0), "(accepted)");
  for (const Signature& other :
       {of({}), of({{"a", Datatype::fp32, {1}}, {"b", Datatype::fp32, {1}}}),
        of({{"x", Datatype::fp32, {-1, -1, -1}}}), of({{"x", Datatype::fp32, {0}}}),
        of({{"x", Datatype::fp32, {INT64_MAX, INT64_MAX, -1}}}),
        of({{"x", Datatype::bytes, {-1, 2}}})})
    EXPECT_NE(error_of(raw<float>({1, 2}), other, 0), "(accepted)");
  const auto text = parse_infer("all of it", 0, of({{"x", Datatype::bytes, {-1}}}));
  EXPECT_EQ(text->inputs[0].texts, (std::vector<std::string_view>{"all of it"}));
}

TEST(InferRequested, ThePerOutputWordWins) {
  const std::string inputs =
      R"("inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}])";
  const auto parsed = parse_infer(
      "{\"id\":\"7\",\"parameters\":{\"binary_data_output\":true}," + inputs +
          R"(,"outputs":[{"name":"z"},{"name":"y","parameters":{"binary_data":false}}]})",
      std::nullopt, kFloat);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->id, "7");
  ASSERT_EQ(parsed->outputs.size(), 2U);
  EXPECT_TRUE(parsed->outputs[0].binary);
  EXPECT_FALSE(parsed->outputs[1].binary);
}

// The parser's memory belongs to the thread: a request must not change while the next is parsed.
TEST(InferRequested, ARequestOutlivesTheParser) {
  const Signature texts = of({{"x", Datatype::bytes, {-1}}});
  const std::string body = json(R"("shape":[2],"data":["first","second"])", "BYTES");
  const auto kept = parse_infer(body, std::nullopt, texts);
  for (int i = 0; i < 3; ++i)
    (void)parse_infer(json(R"("shape":[1],"data":["overwritten"])", "BYTES"), std::nullopt, texts);
  EXPECT_EQ(kept->inputs[0].name, "x");
  EXPECT_EQ(kept->inputs[0].texts, (std::vector<std::string_view>{"first", "second"}));
}

}  // namespace
}  // namespace holdfast::inference
