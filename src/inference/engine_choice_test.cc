#include "inference/engine_choice.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "inference/fake_engine.h"

namespace holdfast::inference {
namespace {

// Takes nothing.
class Picky final : public Engine {
 public:
  std::string_view platform() const override { return "picky"; }
  Result<std::unique_ptr<Model>> load(const std::string&) override {
    return fail(Code::invalid_argument, "not to my taste");
  }
};

class EngineChoiceTest : public ::testing::Test {
 public:
  EngineChoiceTest() {
    std::ofstream(model_) << fake_model(3);
    std::ofstream(broken_) << "nothing";
  }
  ~EngineChoiceTest() override {
    std::filesystem::remove(model_);
    std::filesystem::remove(broken_);
  }
  EngineChoice::Offer fake() {
    return {.platform = "fake", .open = [this]() -> Result<std::unique_ptr<Engine>> {
              ++opened_;
              return std::make_unique<FakeEngine>();
            }};
  }
  static EngineChoice::Offer picky() {
    return {.platform = "picky",
            .open = []() -> Result<std::unique_ptr<Engine>> { return std::make_unique<Picky>(); }};
  }
  // Of this process alone: others run beside it.
  const std::string place_ = ::testing::TempDir() + "engine_choice_" + std::to_string(::getpid());
  const std::string model_ = place_ + "_model", broken_ = place_ + "_broken";
  int opened_ = 0;
};

TEST_F(EngineChoiceTest, NoneIsOpenedBeforeAModelComes) {
  EngineChoice engine({fake(), picky()});
  EXPECT_EQ(engine.platform(), "fake");
  EXPECT_EQ(opened_, 0);
}

TEST_F(EngineChoiceTest, ThePreferredOneIsEnough) {
  EngineChoice engine(
      {fake(), {.platform = "none", .open = []() -> Result<std::unique_ptr<Engine>> {
                  return fail(Code::unavailable, "not installed");
                }}});
  const auto model = engine.load(model_);
  ASSERT_TRUE(model);
  EXPECT_EQ((*model)->platform(), "fake");
  EXPECT_EQ(opened_, 1);
}

TEST_F(EngineChoiceTest, TheOtherOneIsOpenedOnceWhenItIsNeeded) {
  EngineChoice engine({picky(), fake()});
  EXPECT_EQ(engine.platform(), "picky");
  for (int i = 0; i < 2; ++i) {
    const auto model = engine.load(model_);
    ASSERT_TRUE(model);
    EXPECT_EQ((*model)->platform(), "fake");
  }
  EXPECT_EQ(opened_, 1);
  EXPECT_EQ(engine.load(broken_).error().code(), Code::invalid_argument);
}

TEST_F(EngineChoiceTest, AnOtherThatIsNotThereSaysSo) {
  EngineChoice engine(
      {picky(), {.platform = "none", .open = []() -> Result<std::unique_ptr<Engine>> {
                   return fail(Code::unavailable, "not installed");
                 }}});
  EXPECT_EQ(engine.load(model_).error().message(), "not installed");
}

}  // namespace
}  // namespace holdfast::inference
