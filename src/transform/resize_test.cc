#include <gtest/gtest.h>

#include <numeric>

#include "transform/image.h"

namespace holdfast::transform {
namespace {

Image row_of(std::vector<uint8_t> samples) {
  Image image;
  image.width = image.file_width = static_cast<uint32_t>(samples.size());
  image.height = image.file_height = 1;
  image.samples = std::move(samples);
  return image;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-3) << i;
}

constexpr Filter kAll[] = {Filter::nearest, Filter::area, Filter::bilinear, Filter::lanczos};

TEST(Resize, TheSameSizeIsExact) {
  const Image image = row_of({0, 1, 127, 254, 255});
  for (const Filter filter : kAll)
    EXPECT_EQ(resize(image, 5, 1, filter)->values, (std::vector<float>{0, 1, 127, 254, 255}));
}

TEST(Resize, AreaIsTheMeanOfWhatIsCovered) {
  expect_near(resize(row_of({10, 20, 30, 50}), 2, 1, Filter::area)->values, {15, 40});
  // 5 to 2: each output covers two and a half.
  expect_near(resize(row_of({10, 20, 30, 40, 50}), 2, 1, Filter::area)->values, {18, 42});
  expect_near(resize(row_of({10, 20}), 4, 1, Filter::area)->values, {10, 10, 20, 20});
}

TEST(Resize, NearestTakesTheMiddle) {
  expect_near(resize(row_of({1, 2, 3, 4, 5, 6}), 2, 1, Filter::nearest)->values, {2, 5});
  expect_near(resize(row_of({1, 2}), 4, 1, Filter::nearest)->values, {1, 1, 2, 2});
}

TEST(Resize, BilinearAndLanczosAreThoseOfPillow) {
  // Image.fromarray(…, "F").resize((…, 1), …) of Pillow 13.
  expect_near(resize(row_of({0, 100, 200, 40}), 2, 1, Filter::bilinear)->values,
              {71.4286F, 117.1429F});
  expect_near(resize(row_of({0, 100}), 4, 1, Filter::bilinear)->values, {0, 25, 75, 100});
  expect_near(resize(row_of({0, 100, 200, 40}), 2, 1, Filter::lanczos)->values,
              {71.8296F, 125.4973F});
}

TEST(Resize, KeepsAFlatPictureFlatInEveryFilter) {
  Image image;
  image.width = 37;
  image.height = 23;
  image.channels = 3;
  image.samples.assign(37 * 23 * 3, 77);
  for (const Filter filter : kAll) {
    for (const uint32_t side : {1u, 5u, 40u, 64u}) {
      const auto out = resize(image, side, side + 1, filter);
      ASSERT_TRUE(out);
      ASSERT_EQ(out->values.size(), side * (side + 1) * 3);
      for (const float value : out->values) ASSERT_NEAR(value, 77, 1e-3);
    }
  }
}

TEST(Resize, KeepsChannelsAndAxesApart) {
  Image image;
  image.width = 2;
  image.height = 2;
  image.channels = 2;
  image.samples = {0, 100, 10, 110, 20, 120, 30, 130};
  expect_near(resize(image, 1, 2, Filter::area)->values, {5, 105, 25, 125});
  expect_near(resize(image, 2, 1, Filter::area)->values, {10, 110, 20, 120});
}

TEST(Resize, RefusesWhatIsTooLarge) {
  EXPECT_EQ(resize(row_of({1, 2}), kMaxSide + 1, 1, Filter::area).error().code(), Code::too_large);
  EXPECT_EQ(resize(row_of({1, 2}), kMaxSide, kMaxSide, Filter::area).error().code(),
            Code::too_large);
}

}  // namespace
}  // namespace holdfast::transform
