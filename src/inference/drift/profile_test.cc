#include "inference/drift/profile.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstring>

namespace holdfast::inference {
namespace {

namespace json = boost::json;

TensorInfo info(const char* name, Datatype type, std::vector<int64_t> shape) {
  return {.name = name, .type = type, .shape = std::move(shape)};
}
template <class T>
Tensor tensor(const char* name, Datatype type, std::vector<int64_t> shape, std::vector<T> values) {
  Tensor out{.name = name, .type = type, .shape = std::move(shape)};
  out.data.resize(values.size() * sizeof(T));
  std::memcpy(out.data.data(), values.data(), out.data.size());
  return out;
}
std::vector<Row> rows_of(const Plan& plan, const Outputs& inputs, const Outputs& outputs) {
  std::vector<Row> rows;
  const Taken taken = take(plan, views_of(inputs), outputs);
  each_row(plan, taken, [&rows](const Row& row) { rows.push_back(row); });
  return rows;
}

TEST(Features, FollowFromTheSignature) {
  const Plan plan = plan_for(
      {{info("x", Datatype::fp32, {-1, 2}), info("n", Datatype::int64, {-1}),
        info("t", Datatype::bytes, {-1, 1}), info("picture", Datatype::uint8, {-1, 3, 16, 16}),
        info("free", Datatype::fp32, {-1, -1})},
       {info("label", Datatype::int64, {-1}), info("p", Datatype::fp32, {-1, 10}),
        info("box", Datatype::fp32, {-1, 4, 2})}});
  const std::vector<std::string> features = {
      "x[0]",        "x[1]",        "n",           "t.length",    "picture.mean",
      "picture.std", "picture.p10", "picture.p50", "picture.p90", "free.mean",
      "free.std",    "free.p10",    "free.p50",    "free.p90",    "p.confidence",
      "box[0]",      "box[1]",      "box[2]",      "box[3]",      "box[4]",
      "box[5]",      "box[6]",      "box[7]"};
  EXPECT_EQ(plan.features, features);
  EXPECT_EQ(plan.classes, (std::vector<std::string>{"label", "p"}));
}

TEST(Features, AreAtMost256) {
  Signature many;
  for (int i = 0; i < 100; ++i)
    many.inputs.push_back(info(("x" + std::to_string(i)).c_str(), Datatype::fp32, {-1, 60}));
  const Plan plan = plan_for(many);
  EXPECT_EQ(plan.features.size(), 255u);
  EXPECT_EQ(plan.features[5], "x1.mean");
  EXPECT_EQ(plan.inputs[51].as, Watched::nothing);
}

TEST(Features, ValuesOfRows) {
  const Plan plan =
      plan_for({{info("x", Datatype::fp64, {-1, 2}), info("t", Datatype::bytes, {-1})},
                {info("label", Datatype::bytes, {-1}), info("p", Datatype::fp32, {-1, 3})}});
  Tensor texts{.name = "t", .type = Datatype::bytes, .shape = {2}, .texts = {"abc", ""}};
  Tensor labels{.name = "label", .type = Datatype::bytes, .shape = {2}, .texts = {"good", "\xff"}};
  const auto x = tensor<double>("x", Datatype::fp64, {2, 2}, {1, -2, 0.5, INFINITY});
  const auto p = tensor<float>("p", Datatype::fp32, {2, 3}, {0.1F, 0.7F, 0.2F, 2, 0, -1});
  const auto rows = rows_of(plan, {x, texts}, {labels, p});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].values, (std::vector<float>{1, -2, 3, 0.7F}));
  EXPECT_EQ(rows[1].values[0], 0.5F);
  EXPECT_TRUE(std::isnan(rows[1].values[1])) << "not a finite number: missing";
  EXPECT_NEAR(rows[1].values[3], std::exp(2) / (std::exp(2) + 1 + std::exp(-1)), 1e-6)
      << "softmax where it is no distribution";
  EXPECT_EQ(rows[0].labels, (std::vector<std::optional<std::string>>{"good", "1"}));
  EXPECT_EQ(rows[1].labels, (std::vector<std::optional<std::string>>{"?", "0"}));
  const auto asked_for_one = rows_of(plan, {x, texts}, {p});
  EXPECT_FALSE(asked_for_one[0].labels[0]) << "absent, which is not missing";
}

TEST(Features, SummariesOfARow) {
  const Plan plan = plan_for({{info("x", Datatype::uint8, {-1, 3, 50, 50})}, {}});
  std::vector<uint8_t> values(3 * 50 * 50);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i % 100);
  const auto rows = rows_of(plan, {tensor("x", Datatype::uint8, {1, 3, 50, 50}, values)}, {});
  // Of the numbers at i * 7500 / 1024.
  double sum = 0, squares = 0;
  std::vector<int> kept(1024);
  for (size_t i = 0; i < 1024; ++i) kept[i] = values[i * 7500 / 1024];
  for (const int value : kept) sum += value;
  for (const int value : kept) squares += std::pow(value - sum / 1024, 2);
  std::sort(kept.begin(), kept.end());
  EXPECT_NEAR(rows[0].values[0], sum / 1024, 1e-4);
  EXPECT_NEAR(rows[0].values[1], std::sqrt(squares / 1024), 1e-4);
  EXPECT_EQ(rows[0].values[2], kept[102]);
  EXPECT_EQ(rows[0].values[3], kept[511]);
  EXPECT_EQ(rows[0].values[4], kept[920]);
}

TEST(Features, OfALargeRequestSomeRows) {
  const Plan plan = plan_for({{info("x", Datatype::fp32, {-1, 1})}, {}});
  std::vector<float> values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const auto rows = rows_of(plan, {tensor("x", Datatype::fp32, {1000, 1}, values)}, {});
  ASSERT_EQ(rows.size(), 256u);
  EXPECT_EQ(rows[255].values[0], 996);
}

const Signature kSignature = {{info("x", Datatype::fp32, {-1, 1})},
                              {info("label", Datatype::int64, {-1})}};

Profile profile_of(size_t rows, size_t kept = 2000) {
  ProfileBuilder builder(plan_for(kSignature), kept);
  const Plan plan = plan_for(kSignature);
  for (size_t i = 0; i < rows; ++i) {
    const float value = i == 3 ? NAN : static_cast<float>(i) / 10;
    const Outputs inputs = {tensor<float>("x", Datatype::fp32, {1, 1}, {value})};
    const Outputs outputs = {tensor<int64_t>("label", Datatype::int64, {1}, {int64_t(i % 3) - 1})};
    builder.add(take(plan, views_of(inputs), outputs));
  }
  return builder.finish();
}

TEST(Profile, BinsAreDecilesOfTheSample) {
  const Profile profile = profile_of(12);
  const FeatureProfile& x = profile.features.at(0);
  EXPECT_EQ(profile.rows, 12u);
  EXPECT_EQ(x.missing, 1u);
  EXPECT_EQ(x.sample.size(), 11u);
  // numpy.quantile([0, .1, .2, .4, …, 1.1], [.1, …, .9]) is every value but the ends.
  EXPECT_EQ(x.edges, (std::vector<float>{.1F, .2F, .4F, .5F, .6F, .7F, .8F, .9F, 1.F}));
  EXPECT_EQ(x.counts, (std::vector<uint64_t>{2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(profile.classes.at(0).labels, (std::vector<std::string>{"-1", "0", "1"}));
  EXPECT_EQ(profile.classes.at(0).counts, (std::vector<uint64_t>{4, 4, 4, 0}));
}

TEST(Profile, TheSampleIsUniformAndBounded) {
  const Profile profile = profile_of(20'000, 1000);
  EXPECT_EQ(profile.rows, 20'000u);
  EXPECT_EQ(profile.sample_rows, 1000u);
  double sum = 0;
  for (const float value : profile.features[0].sample) sum += value;
  EXPECT_NEAR(sum / 1000, 1000, 5 * 577 / std::sqrt(1000)) << "the mean of 0 to 2000";
}

TEST(Profile, IsReadAsItWasWritten) {
  Profile profile = profile_of(500);
  profile.model_digest = "sha256:ab";
  const std::string text = to_json(profile);
  const auto read = parse_profile(text, kSignature);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ((*read)->features[0].sample, profile.features[0].sample) << "every bit";
  EXPECT_EQ((*read)->features[0].edges, profile.features[0].edges);
  EXPECT_EQ((*read)->classes[0].counts, profile.classes[0].counts);
  EXPECT_EQ((*read)->model_digest, "sha256:ab");
  EXPECT_EQ(to_json(**read), text);
}

TEST(Profile, WhatIsWrongIsNamed) {
  const std::string good = to_json(profile_of(200));
  const auto with = [&good](auto change) {
    json::value value = json::parse(good);
    change(value.as_object());
    return json::serialize(value);
  };
  const auto feature = [](json::object& of) -> json::object& {
    return of["features"].as_array()[0].as_object();
  };
  const std::pair<std::string, std::string> cases[] = {
      {"", "not JSON"},
      {good.substr(0, good.size() / 2), "not JSON"},
      {"[]", "not a JSON object"},
      {"{}", "profile.json.format: is required"},
      {with([](json::object& of) { of["format"] = "holdfast.profile/9"; }), "format: must be"},
      {with([](json::object& of) { of["rows"] = -1; }), "rows"},
      {with([](json::object& of) { of.erase("features"); }), "features: must be a list"},
      {with([](json::object& of) { of["features"] = json::array(); }), "'x' of the model"},
      {with([](json::object& of) { of["features"].as_array().emplace_back(1); }), "features[1]"},
      {with([&](json::object& of) { feature(of)["name"] = "z"; }), "made for another model"},
      {with([&](json::object& of) { feature(of)["sample"].as_array()[0] = 1e300; }), "sample"},
      {with([&](json::object& of) { feature(of)["sample"].as_array()[0] = "1"; }), "sample"},
      {with([&](json::object& of) { feature(of)["sample"].as_array()[0] = 1e9; }), "ascending"},
      {with([&](json::object& of) { feature(of)["edges"].as_array()[1] = 1e9; }), "edges"},
      {with([&](json::object& of) { feature(of)["counts"].as_array()[0] = 7; }), "counts"},
      {with([&](json::object& of) { feature(of)["counts"].as_array()[0] = 0.5; }), "counts"},
      {with([&](json::object& of) { feature(of)["missing"] = 2; }), "counts"},
      {with([](json::object& of) { of["classes"].as_array()[0].as_object()["counts"] = 1; }),
       "classes[0].counts"},
      {with([](json::object& of) { of["classes"].as_array().clear(); }), "'label' of the model"},
  };
  for (const auto& [text, message] : cases) {
    const auto read = parse_profile(text, kSignature);
    ASSERT_FALSE(read) << message;
    EXPECT_EQ(read.error().code(), Code::invalid_argument);
    EXPECT_NE(read.error().message().find(message), std::string::npos) << read.error().message();
  }
}

}  // namespace
}  // namespace holdfast::inference
