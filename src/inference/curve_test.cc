#include "inference/curve.h"

#include <gtest/gtest.h>

namespace holdfast::inference {
namespace {

TEST(Curve, NothingKnownMergesNothing) {
  Curve curve;
  EXPECT_EQ(curve.estimate(1), std::nullopt);
  EXPECT_EQ(curve.worthwhile(1), 1u);
  EXPECT_EQ(curve.worthwhile(40), 40u);
}

TEST(Curve, OneSizeIsTriedBeyondWhatIsKnown) {
  Curve curve;
  curve.learn(1, 1000);
  EXPECT_EQ(curve.worthwhile(1), 3u);
  EXPECT_EQ(curve.estimate(8), 8000);  // as if rows had no common cost
}

TEST(Curve, MergesAsFarAsRowsGetCheaper) {
  Curve curve;  // 1000 ns a run and 100 ns a row, up to eight rows; then 1000 ns a row more
  curve.learn(1, 1100);
  curve.learn(2, 1200);
  curve.learn(4, 1400);
  curve.learn(8, 1800);
  curve.learn(16, 16'000);
  EXPECT_EQ(curve.worthwhile(1), 15u);
  EXPECT_EQ(curve.worthwhile(9), 15u);
  EXPECT_EQ(curve.estimate(4), 1400);
}

TEST(Curve, RowsThatGetNoCheaperAreNotMerged) {
  Curve curve;
  curve.learn(1, 1000);
  curve.learn(2, 1950);
  EXPECT_EQ(curve.worthwhile(1), 1u);
}

TEST(Curve, WhatDidNotPayIsTriedAgainNowAndThen) {
  Curve curve;
  curve.learn(1, 1000);
  curve.learn(2, 1950);
  int tried = 0;
  for (int i = 0; i < 640; ++i) tried += curve.worthwhile(1) > 1 ? 1 : 0;
  EXPECT_EQ(tried, 10);
}

TEST(Curve, OneHiccupDoesNotDecide) {
  Curve curve;
  for (int i = 0; i < 50; ++i) {
    curve.learn(1, 1000);
    curve.learn(2, 1000);
  }
  curve.learn(2, 5'000'000);
  EXPECT_GE(curve.worthwhile(1), 3u);
}

}  // namespace
}  // namespace holdfast::inference
