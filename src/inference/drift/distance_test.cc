// The values are scipy 1.15's (ks_2samp, jensenshannon, chi2, chi2_contingency) and numpy's.
#include "inference/drift/distance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace holdfast::inference {
namespace {

using Counts = std::vector<uint64_t>;

TEST(Distance, PsiIsNumpys) {
  const Counts expected = {10, 20, 30, 40, 0}, actual = {5, 5, 40, 40, 10};
  EXPECT_NEAR(psi(expected, actual), 0.5487733172238032, 1e-12);
  EXPECT_DOUBLE_EQ(psi(expected, expected), 0);
  EXPECT_NEAR(psi_by_chance(expected, actual, 0.001), 0.3693365390580634, 1e-12);
  EXPECT_NEAR(psi_by_chance(expected, actual, 1e-9), 0.9575891146229588, 1e-12);
  EXPECT_EQ(psi_by_chance(Counts{5, 0}, Counts{7, 0}, 0.001), 0) << "one bin can not differ";
}

TEST(Distance, KsIsScipysAlsoWithTies) {
  const std::vector<float> one = {1, 2, 2, 3, 4, 5}, other = {2, 2, 2, 6};
  EXPECT_DOUBLE_EQ(ks(one, other), 0.25);
  EXPECT_DOUBLE_EQ(ks(other, one), 0.25);
  EXPECT_EQ(ks(one, one), 0);
  EXPECT_EQ(ks({}, one), 0);
  EXPECT_EQ(ks(std::vector<float>{1, 2}, std::vector<float>{3}), 1);
  EXPECT_NEAR(ks_by_chance(2000, 500, 0.001), 0.09747373017602026, 1e-15);
  EXPECT_EQ(ks_by_chance(2000, 0, 0.001), 1);
}

TEST(Distance, ClassMixIsScipys) {
  const Counts expected = {10, 20, 30, 40, 0}, actual = {5, 5, 40, 40, 10};
  EXPECT_NEAR(class_distance(expected, actual), 0.30993056153436216, 1e-12);
  EXPECT_EQ(class_distance(expected, expected), 0);
  EXPECT_DOUBLE_EQ(class_distance(Counts{3, 0}, Counts{0, 9}), 1);
  EXPECT_EQ(class_distance(Counts{0, 0}, Counts{0, 9}), 0);
  EXPECT_NEAR(class_probability(Counts{10, 20, 30, 40}, Counts{5, 5, 40, 50}), 0.003068659189192978,
              1e-12);
  EXPECT_EQ(class_probability(Counts{10, 0}, Counts{5, 0}), 1);
}

// What chance allows is allowed: samples of one distribution exceed it about as often as said.
TEST(Distance, ChanceIsAsOftenAsItSays) {
  std::mt19937_64 random(7);
  std::normal_distribution<float> draw;
  const auto sample = [&](size_t size) {
    std::vector<float> out(size);
    for (float& value : out) value = draw(random);
    std::sort(out.begin(), out.end());
    return out;
  };
  int over_ks = 0, over_psi = 0;
  constexpr int kTrials = 2000;
  for (int i = 0; i < kTrials; ++i) {
    const auto one = sample(400), other = sample(100);
    Counts a(8), b(8);
    for (const float value : one) ++a[static_cast<size_t>(std::clamp(value * 2 + 4, 0.F, 7.F))];
    for (const float value : other) ++b[static_cast<size_t>(std::clamp(value * 2 + 4, 0.F, 7.F))];
    over_ks += ks(one, other) > ks_by_chance(400, 100, 0.05) ? 1 : 0;
    over_psi += psi(a, b) > psi_by_chance(a, b, 0.05) ? 1 : 0;
  }
  EXPECT_GT(over_ks, kTrials * 0.02);
  EXPECT_LT(over_ks, kTrials * 0.06);
  EXPECT_GT(over_psi, kTrials * 0.02);
  EXPECT_LT(over_psi, kTrials * 0.09);
}

}  // namespace
}  // namespace holdfast::inference
