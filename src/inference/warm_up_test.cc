#include "inference/warm_up.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "inference/fake_engine.h"

namespace holdfast::inference {
namespace {

class WarmUpTest : public ::testing::Test {
 public:
  WarmUpTest() {
    char name[] = "/tmp/warm_up_test.XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~WarmUpTest() override { std::filesystem::remove_all(folder_); }

 protected:
  int64_t warmed(const std::string& tensors) {
    const std::string path = folder_ + "/model";
    std::ofstream(path) << fake_model(1, tensors);
    Loaded loaded;
    loaded.name = "m";
    loaded.model = std::move(*engine_.load(path));
    warm_up(loaded);
    return loaded.p99_ns;
  }

  FakeEngine engine_;
  std::string folder_;
};

constexpr int64_t kFarFromQuick = 1'000'000'000;

TEST_F(WarmUpTest, ZerosOfEveryShapeAndType) {
  std::vector<std::vector<int64_t>> shapes;
  size_t texts = 0, bytes = 0;
  engine_.on_run = [&](const std::vector<TensorView>& inputs) -> Result<void> {
    shapes.clear();
    for (const TensorView& input : inputs) shapes.push_back(input.shape);
    bytes = inputs[0].data.size();
    texts = inputs[1].texts.size();
    return {};
  };
  const int64_t p99 =
      warmed("input a FP32 -1,3\ninput t BYTES 2,-1\noutput b FP32 -1,3\noutput u BYTES 2,-1\n");
  EXPECT_EQ(engine_.runs(), 20);
  EXPECT_EQ(shapes, (std::vector<std::vector<int64_t>>{{1, 3}, {2, 1}}));
  EXPECT_EQ(bytes, 12U);
  EXPECT_EQ(texts, 2U);
  EXPECT_GT(p99, 0);
  EXPECT_LT(p99, kFarFromQuick);
}

TEST_F(WarmUpTest, ALongRunIsMadeTwice) {
  engine_.on_run = [](const auto&) -> Result<void> {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return {};
  };
  const int64_t p99 = warmed("input a FP32 1\noutput b FP32 1\n");
  EXPECT_LE(engine_.runs(), 2);
  EXPECT_GE(p99, 30'000'000);
}

TEST_F(WarmUpTest, AModelThatRefusesZerosIsNotKnownToBeQuick) {
  engine_.on_run = [](const auto&) -> Result<void> { return fail(Code::invalid_argument, "no"); };
  EXPECT_GT(warmed("input a FP32 1\noutput b FP32 1\n"), kFarFromQuick);
  EXPECT_EQ(engine_.runs(), 1);
}

// Once, such a model counted as one that answers in no time.
TEST_F(WarmUpTest, WhatIsTooLargeToTryIsNotKnownToBeQuick) {
  EXPECT_GT(warmed("input a FP64 100000,1000\noutput b FP64 1\n"), kFarFromQuick);
  EXPECT_GT(warmed("input a FP64 4611686018427387904,4\noutput b FP64 1\n"), kFarFromQuick);
  EXPECT_EQ(engine_.runs(), 0);
}

TEST_F(WarmUpTest, TheDigestIsTheFiles) {
  std::ofstream(folder_ + "/abc") << "abc";
  EXPECT_EQ(*digest_of(folder_ + "/abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of(folder_ + "/none").error().code(), Code::not_found);
}

}  // namespace
}  // namespace holdfast::inference
