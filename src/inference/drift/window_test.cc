#include "inference/drift/window.h"

#include <gtest/gtest.h>

#include "inference/drift/distance.h"
#include "inference/drift/drift_testing.h"

namespace holdfast::inference {
namespace {

using namespace std::chrono_literals;

struct WindowTest : ::testing::Test {
  // What a window of such rows says.
  DriftReport window(size_t rows, float mean, bool one_class = false) {
    DriftWindow window(profile, limits);
    const auto [inputs, outputs] = live.request(rows, mean, one_class);
    const Taken taken = take(profile->plan, views_of(inputs), outputs);
    each_row(profile->plan, taken, [&](const Row& row) { window.add(row, clock.now()); });
    return window.close(clock.now());
  }
  FakeClock clock;
  ProfilePtr profile = normal_profile();
  DriftLimits limits;
  Rows live{2};
};

TEST_F(WindowTest, TheSameRowsAreCalm) {
  const DriftReport report = window(256, 0);
  EXPECT_EQ(report.rows, 256u);
  EXPECT_FALSE(report.drift);
  EXPECT_TRUE(report.calm);
  ASSERT_EQ(report.features.size(), 2u);
  EXPECT_LT(report.features[0].psi.value, 0.1);
  EXPECT_LT(report.features[0].ks.value, 0.1);
}

TEST_F(WindowTest, AShiftIsDriftInBothMeasures) {
  const DriftReport report = window(256, 1);
  EXPECT_TRUE(report.drift);
  EXPECT_FALSE(report.calm);
  for (const DriftReport::Feature& one : report.features) {
    EXPECT_TRUE(one.psi.over()) << one.psi.value;
    EXPECT_TRUE(one.ks.over()) << one.ks.value;
  }
  EXPECT_FALSE(report.classes.at(0).distance.over());
}

TEST_F(WindowTest, AnotherClassMixIsDriftByItself) {
  const DriftReport report = window(256, 0, true);
  EXPECT_TRUE(report.drift);
  EXPECT_FALSE(report.features[0].over());
  EXPECT_TRUE(report.classes.at(0).distance.over());
  EXPECT_EQ(report.classes[0].counts[1], (std::pair<std::string, uint64_t>("1", 256)));
}

TEST_F(WindowTest, SmallWindowsDoNotCryWolf) {
  limits.window = limits.least = 20;
  int over_plain = 0;
  for (int i = 0; i < 500; ++i) {
    const DriftReport report = window(20, 0);
    EXPECT_FALSE(report.drift) << i;
    over_plain += report.features[0].psi.value > limits.psi ? 1 : 0;
  }
  EXPECT_GT(over_plain, 100) << "the convention alone would have cried often";
  EXPECT_TRUE(window(20, 3).drift) << "yet what is far away is seen";
}

TEST_F(WindowTest, SoManyFeaturesHaveToBeOver) {
  limits.features = 3;
  EXPECT_FALSE(window(256, 1).drift);
  limits.features = 2;
  EXPECT_TRUE(window(256, 1).drift);
}

TEST_F(WindowTest, MissingNumbersAreABinOfTheirOwn) {
  DriftWindow window(profile, limits);
  for (int i = 0; i < 256; ++i) {
    Row row{.values = {kMissing, kAbsent}, .labels = {std::nullopt}};
    window.add(row, clock.now());
  }
  const DriftReport report = window.close(clock.now());
  EXPECT_EQ(report.features[0].missing, 256u);
  EXPECT_TRUE(report.features[0].psi.over());
  EXPECT_EQ(report.features[1].rows, 0u);
  EXPECT_FALSE(report.features[1].over()) << "nobody asked for it: it says nothing";
  EXPECT_FALSE(report.classes[0].distance.over());
}

TEST_F(WindowTest, IsClosedWhenItIsFullOrOld) {
  limits.window = 200;
  limits.least = 100;
  limits.after = 1min;
  DriftWindow window(profile, limits);
  const Row row{.values = {0, 0}, .labels = {"0"}};
  for (int i = 0; i < 99; ++i) window.add(row, clock.now());
  clock.advance(2min);
  EXPECT_FALSE(window.due(clock.now())) << "too few to say anything";
  window.add(row, clock.now());
  EXPECT_TRUE(window.due(clock.now()));
  window.close(clock.now());
  EXPECT_EQ(window.rows(), 0u);
  for (int i = 0; i < 199; ++i) window.add(row, clock.now());
  EXPECT_FALSE(window.due(clock.now()));
  window.add(row, clock.now());
  EXPECT_TRUE(window.due(clock.now()));
}

TEST_F(WindowTest, LimitsAreChecked) {
  EXPECT_TRUE(check(limits));
  const auto wrong = [&](auto change) {
    DriftLimits other = limits;
    change(other);
    return !check(other);
  };
  EXPECT_TRUE(wrong([](DriftLimits& of) { of.window = 5; }));
  EXPECT_TRUE(wrong([](DriftLimits& of) { of.least = of.window + 1; }));
  EXPECT_TRUE(wrong([](DriftLimits& of) { of.psi = 0; }));
  EXPECT_TRUE(wrong([](DriftLimits& of) { of.alpha = 1; }));
  EXPECT_TRUE(wrong([](DriftLimits& of) { of.features = 0; }));
  EXPECT_TRUE(wrong([](DriftLimits& of) { of.after = 1ms; }));
}

}  // namespace
}  // namespace holdfast::inference
