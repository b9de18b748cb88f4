#include "inference/measure/tune.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/digest.h"
#include "base/files.h"
#include "inference/fake_engine.h"
#include "inference/measure/difference.h"
#include "inference/testing.h"

namespace holdfast::inference {
namespace {

Candidate measured(std::vector<double> p50_us, std::vector<double> rate) {
  Candidate out;
  out.p50_us = std::move(p50_us);
  out.rate = std::move(rate);
  return out;
}

TEST(Better, NeedsMoreThanTheNoise) {
  const Candidate usual = measured({100, 100, 100, 100, 100}, {10, 10, 10, 10, 10});
  Candidate clear = measured({70, 71, 70, 72, 300}, {14, 14, 13, 14, 3});  // one disturbed round
  EXPECT_TRUE(better(usual, clear, Goal::both));
  EXPECT_NEAR(clear.faster, 100.0 / 71, 1e-9);
  EXPECT_DOUBLE_EQ(clear.more, 1.4);
  Candidate little = measured({98, 98, 98, 98, 98}, {10.2, 10.2, 10.2, 10.2, 10.2});
  EXPECT_FALSE(better(usual, little, Goal::both));
  Candidate noisy = measured({70, 70, 70, 150, 150}, {14, 14, 14, 7, 7});
  EXPECT_FALSE(better(usual, noisy, Goal::both));
}

TEST(Better, IsSlowerInNothingThatCounts) {
  const Candidate usual = measured({100, 100, 100}, {10, 10, 10});
  Candidate traded = measured({50, 50, 50}, {9, 9, 9});
  EXPECT_FALSE(better(usual, traded, Goal::both));
  EXPECT_FALSE(better(usual, traded, Goal::throughput));
  EXPECT_TRUE(better(usual, traded, Goal::latency));
}

TEST(Candidates, FillTheCores) {
  for (const Tuning& tuning : candidates_for(6, false, true)) {
    EXPECT_LE(static_cast<unsigned>(tuning.threads) * tuning.lanes, 6u);
    EXPECT_EQ(tuning.precision, "f32");
  }
  EXPECT_EQ(candidates_for(2, false, true).size(), 4u);
  EXPECT_EQ(candidates_for(2, true, false).size(), 8u);
  EXPECT_EQ(candidates_for(2, true, true).size(), 12u);
  EXPECT_EQ(candidates_for(1, false, false).size(), 2u);
}

struct Tune : testing::Test {
  std::string folder = testing::TempDir() + "tune-" + hex(as_bytes(random_bytes(6)));
  void SetUp() override { ASSERT_TRUE(make_directories(folder)); }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string model(const std::string& text) {
    EXPECT_TRUE(replace_file(folder + "/model.onnx", as_bytes(text)));
    return folder + "/model.onnx";
  }
};

// Engines whose models take as long as the candidate says in its name.
Result<std::unique_ptr<Engine>> slow_engine(const Tuning& tuning) {
  auto engine = std::make_unique<FakeEngine>();
  const int us = tuning.engine == "quick" ? 200 : 1500;
  if (tuning.engine == "broken") return fail(Code::unavailable, "it is not installed");
  engine->on_run = [us](const std::vector<TensorView>&) -> Result<void> {
    std::this_thread::sleep_for(std::chrono::microseconds(us));
    return {};
  };
  return std::unique_ptr<Engine>(std::move(engine));
}

TuneOptions fake_options() {
  TuneOptions options;
  options.usual = {.engine = "usual", .lanes = 1};
  options.budget = std::chrono::milliseconds(200);
  options.open = slow_engine;
  return options;
}

TEST_F(Tune, TakesTheQuickerAndTellsWhyNotAnother) {
  TuneOptions options = fake_options();
  options.candidates = {{.engine = "quick", .lanes = 1}, {.engine = "broken", .lanes = 1}};
  const auto found = tune(model(fake_model(3)), options);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->chosen, 1u);
  EXPECT_EQ(found->tuning.engine, "quick");
  EXPECT_EQ(found->candidates[2].why_not, "it is not installed");
  EXPECT_TRUE(found->candidates[2].rate.empty());
  EXPECT_TRUE(found->generated);
  EXPECT_EQ(found->batches.size(), 5u);
}

// A candidate in 8 bits runs another file, which has to answer alike.
TEST_F(Tune, MakesTheFileInEightBitsOnceAndJudgesIt) {
  const std::string path = model(fake_model(3)), file = folder + "/small.onnx";
  TuneOptions options = fake_options();
  options.candidates = {{.engine = "quick", .precision = "int8", .lanes = 1},
                        {.engine = "slow", .precision = "int8", .lanes = 1}};
  int made = 0;
  options.quantize = [&](const std::vector<Inputs>& requests,
                         const Accept& accept) -> Result<Quantized> {
    ++made;
    EXPECT_EQ(requests.size(), 4u);
    EXPECT_TRUE(replace_file(file, as_bytes(fake_model(4))));
    EXPECT_FALSE(*accept(file));
    EXPECT_TRUE(replace_file(file, as_bytes(fake_model(3))));
    EXPECT_TRUE(*accept(file));
    return Quantized{file, 2, 3};
  };
  const auto found = tune(path, options);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(found->chosen, 1u);
  EXPECT_EQ(found->quantized->file, file);
  EXPECT_EQ(found->quantized->layers, 2u);

  options.quantize = [](const auto&, const auto&) -> Result<Quantized> {
    return fail(Code::unsupported, "it has no weights");
  };
  const auto refused = tune(path, options);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->chosen, 0u);
  EXPECT_FALSE(refused->quantized);
  EXPECT_EQ(refused->candidates[1].why_not, "it has no weights");
  EXPECT_EQ(refused->candidates[2].why_not, "it has no weights");
}

TEST_F(Tune, KeepsTheUsualWhereNothingIsBetter) {
  TuneOptions options = fake_options();
  options.usual.engine = "quick";
  options.candidates = {{.engine = "slow", .lanes = 1}};
  const auto found = tune(model(fake_model(3)), options);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->chosen, 0u);
}

TEST_F(Tune, WhatIsNoModelIsAnError) {
  const auto found = tune(model("nothing"), fake_options());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Code::invalid_argument);
}

TEST_F(Tune, StoreKeepsByDigestAndHardware) {
  TuningStore store(folder + "/tuning", "this machine"), other(folder + "/tuning", "another");
  EXPECT_FALSE(store.read("sha256:aa"));
  const Tuning tuning{
      .engine = "openvino", .precision = "bf16", .threads = 2, .lanes = 1, .rows = 4};
  ASSERT_TRUE(store.write("sha256:aa", {tuning}, "{}"));
  ASSERT_TRUE(store.read("sha256:aa"));
  EXPECT_EQ(*store.read("sha256:aa")->tuning, tuning);
  EXPECT_FALSE(other.read("sha256:aa"));
  ASSERT_TRUE(store.write("sha256:bb", {}, "{}"));
  ASSERT_TRUE(store.read("sha256:bb"));
  EXPECT_FALSE(store.read("sha256:bb")->tuning);
  ASSERT_TRUE(replace_file(folder + "/tuning/aa.json", as_bytes("{\"hardware\":")));
  EXPECT_FALSE(store.read("sha256:aa"));
}

TEST_F(Tune, StoreKeepsTheFileInEightBits) {
  TuningStore store(folder + "/tuning", "this machine");
  const std::string kept = folder + "/tuning/aa.int8.onnx", path = model(fake_model(3));
  const TuningStore::Known small{Tuning{.precision = "int8", .lanes = 1}};
  ASSERT_TRUE(store.write("sha256:aa", small, "{}", path));
  const auto known = store.read("sha256:aa");
  ASSERT_TRUE(known && known->tuning);
  EXPECT_EQ(*store.file_for("sha256:aa", *known, "else"), kept);
  // Another file is not the one that was measured.
  ASSERT_TRUE(replace_file(kept, as_bytes(fake_model(4))));
  EXPECT_EQ(store.file_for("sha256:aa", *known, "else").error().code(), Code::invalid_argument);
  // It goes with the choice, and with the model.
  ASSERT_TRUE(store.write("sha256:aa", {Tuning{.lanes = 1}}, "{}"));
  EXPECT_FALSE(std::filesystem::exists(kept));
  EXPECT_EQ(*store.file_for("sha256:aa", *store.read("sha256:aa"), "else"), "else");
  store.forget("sha256:aa");
  EXPECT_TRUE(store.read("sha256:aa"));
  ASSERT_TRUE(store.write("sha256:aa", small, "{}", path));
  store.forget("sha256:aa");
  EXPECT_FALSE(std::filesystem::exists(kept));
  EXPECT_FALSE(store.read("sha256:aa"));
  // Nothing is known where the file could not be kept.
  EXPECT_FALSE(store.write("sha256:bb", small, "{}", folder + "/none"));
  EXPECT_FALSE(store.read("sha256:bb"));
}

TEST_F(Tune, TunedEngineUsesWhatIsKnownElseTheUsual) {
  FakeEngine usual;
  TuningStore store(folder + "/tuning", "this machine");
  std::string opened;
  TunedEngine engine(usual, store, [&](const Tuning& tuning) -> Result<std::unique_ptr<Engine>> {
    opened += tuning.engine + " ";
    if (tuning.engine == "broken") return fail(Code::unavailable, "no");
    return std::unique_ptr<Engine>(new FakeEngine);
  });
  const std::string path = model(fake_model(3));
  ASSERT_TRUE(engine.prepare(path, "sha256:aa"));
  EXPECT_EQ(opened, "");
  ASSERT_TRUE(store.write("sha256:aa", {Tuning{.engine = "quick", .lanes = 1, .rows = 4}}, "{}"));
  for (int i = 0; i < 2; ++i) {
    const auto prepared = engine.prepare(path, "sha256:aa");
    ASSERT_TRUE(prepared);
    EXPECT_EQ(prepared->lanes, 1u);
    EXPECT_EQ(prepared->rows, 4u);
  }
  EXPECT_EQ(opened, "quick ");
  ASSERT_TRUE(store.write("sha256:aa", {Tuning{.engine = "broken"}}, "{}"));
  EXPECT_TRUE(engine.prepare(path, "sha256:aa"));
}

Tensor floats(std::vector<float> values) {
  Tensor out{.name = "y", .shape = {1, static_cast<int64_t>(values.size())}};
  out.data.resize(values.size() * sizeof(float));
  std::memcpy(out.data.data(), values.data(), out.data.size());
  return out;
}

TEST(Difference, CountsUlpsOverZeroAndBestPlaces) {
  std::vector<Difference> out;
  compare({floats({1, 2, -0.0f})}, {floats({1, 2, 0.0f})}, out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_FALSE(out[0].equal);  // the bits differ
  EXPECT_EQ(out[0].ulps, 0u);
  compare({floats({1, 2, 3})}, {floats({1, 4, std::nextafter(3.0f, 4.0f)})}, out);
  EXPECT_DOUBLE_EQ(out[0].most, 2);
  EXPECT_DOUBLE_EQ(out[0].scale, 3);
  EXPECT_EQ(out[0].ulps, 1u << 23);
  EXPECT_EQ(out[0].rows, 2u);
  EXPECT_EQ(out[0].same_best, 1u);
  compare({floats({1})}, {floats({1, 2})}, out);
  EXPECT_FALSE(out[0].comparable);
}

}  // namespace
}  // namespace holdfast::inference
