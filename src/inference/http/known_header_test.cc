#include "inference/http/known_header.h"

#include <gtest/gtest.h>

#include <cstring>

namespace holdfast::inference {
namespace {

LoadedPtr model_of(std::vector<TensorInfo> inputs) {
  auto loaded = std::make_shared<Loaded>();
  loaded->accepts.inputs = std::move(inputs);
  loaded->accepts.outputs.push_back({"y", Datatype::fp32, {-1, 2}});
  return loaded;
}

const std::vector<TensorInfo> kTwo = {{"x", Datatype::fp32, {-1, 2}},
                                      {"on", Datatype::boolean, {1}}};

std::string header(const std::string& more = "") {
  return "{" + more +
         R"("inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"parameters":)"
         R"({"binary_data_size":8}},{"name":"on","datatype":"BOOL","shape":[1],"parameters":)"
         R"({"binary_data_size":1}}],"outputs":[{"name":"y","parameters":{"binary_data":true}}],)"
         R"("parameters":{"priority":2}})";
}

std::string tensors(float first, float second, char on) {
  const float values[] = {first, second};
  return std::string(reinterpret_cast<const char*>(values), sizeof values) + on;
}

Result<InferRequest> parse(const LoadedPtr& loaded, const std::string& json,
                           const std::string& body) {
  return parse_known(loaded, body, json.size());
}

std::vector<float> floats(const TensorView& view) {
  std::vector<float> out(view.data.size() / sizeof(float));
  std::memcpy(out.data(), view.data.data(), view.data.size());
  return out;
}

TEST(KnownHeader, SaysTheSameOfOtherTensors) {
  const LoadedPtr loaded = model_of(kTwo);
  const std::string json = header();
  for (int round = 0; round < 4; ++round) {
    const auto at = static_cast<float>(round);
    // Kept until the tensors were looked at; the JSON's length decides how they are aligned.
    const std::string body = json + tensors(at, -at, static_cast<char>(round % 2));
    const auto known = parse(loaded, json, body);
    ASSERT_TRUE(known) << known.error().message();
    ASSERT_EQ(known->inputs.size(), 2u);
    EXPECT_EQ(known->inputs[0].name, "x");
    EXPECT_EQ(known->inputs[0].type, Datatype::fp32);
    EXPECT_EQ(known->inputs[0].shape, (std::vector<int64_t>{1, 2}));
    EXPECT_EQ(floats(known->inputs[0]), (std::vector<float>{at, -at}));
    EXPECT_EQ(known->inputs[1].name, "on");
    EXPECT_EQ(known->inputs[1].data[0], std::byte(round % 2));
    ASSERT_EQ(known->outputs.size(), 1u);
    EXPECT_TRUE(known->outputs[0].binary);
    EXPECT_EQ(known->priority, 2u);
  }
}

TEST(KnownHeader, TensorsAreCheckedAsTheFirstTime) {
  const LoadedPtr loaded = model_of(kTwo);
  const std::string json = header();
  const std::string good = json + tensors(1, 2, 1);
  ASSERT_TRUE(parse(loaded, json, good));
  for (const std::string& body : {json + tensors(1, 2, 2), json + tensors(1, 2, 1) + "?",
                                  (json + tensors(1, 2, 1)).substr(0, good.size() - 1), json}) {
    const auto known = parse(loaded, json, body);
    ASSERT_FALSE(known);
    const auto fresh = parse_infer(body, json.size(), loaded->accepts);
    ASSERT_FALSE(fresh);
    EXPECT_EQ(known.error().message(), fresh.error().message());
  }
  EXPECT_TRUE(parse(loaded, json, good));
}

TEST(KnownHeader, IsKnownForItsOwnModelAlone) {
  const std::string json = header(), body = json + tensors(1, 2, 1);
  const std::vector<TensorInfo> renamed = {{"z", Datatype::fp32, {-1, 2}},
                                           {"on", Datatype::boolean, {1}}};
  for (int round = 0; round < 8; ++round) {  // of which each may get the last one's address
    EXPECT_TRUE(parse(model_of(kTwo), json, body));
    EXPECT_FALSE(parse(model_of(renamed), json, body));
  }
  const LoadedPtr one = model_of(kTwo), other = model_of(renamed);
  EXPECT_TRUE(parse(one, json, body));
  EXPECT_FALSE(parse(other, json, body));
  EXPECT_TRUE(parse(one, json, body));
}

TEST(KnownHeader, OthersOfTheSameLengthAndIdentitiesAreParsed) {
  const LoadedPtr loaded = model_of(kTwo);
  for (const char* id : {"a", "b", "b", "c"}) {
    const std::string json = header(std::string(R"("id":")") + id + "\",");
    const std::string body = json + tensors(1, 2, 1);
    const auto known = parse(loaded, json, body);
    ASSERT_TRUE(known);
    EXPECT_EQ(known->id, id);
  }
  const std::string json = header();
  std::string other = json;
  other.replace(other.find("[1,2]"), 5, "[2,1]");
  EXPECT_TRUE(parse(loaded, json, json + tensors(1, 2, 1)));
  EXPECT_FALSE(parse(loaded, other, other + tensors(1, 2, 1)));
}

}  // namespace
}  // namespace holdfast::inference
