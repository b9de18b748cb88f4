#include "transform/recipe.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/digest.h"
#include "transform/testing.h"

namespace holdfast::transform {
namespace {

constexpr std::string_view kDigits = R"(steps:
  - decode: {color: gray}
  - resize: {width: 8, height: 8, filter: area}
  - scale: {from: [0, 240], to: [0, 1]}
  - layout: flat
  - type: float32
)";

template <class T>
std::vector<T> values(const Tensor& tensor) {
  std::vector<T> out(tensor.data.size() / sizeof(T));
  std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
  return out;
}

TEST(Recipe, ReadsTheDigits) {
  const auto recipe = parse_recipe(kDigits, "digits.yaml");
  ASSERT_TRUE(recipe) << recipe.error().message();
  EXPECT_EQ(recipe->color, Color::gray);
  EXPECT_EQ(recipe->resize->width, 8u);
  EXPECT_EQ(recipe->layout, Layout::flat);
  EXPECT_EQ(recipe->shape(), (std::vector<int64_t>{64}));
  EXPECT_EQ(recipe->sha256, sha256_hex(as_bytes(kDigits)));
}

TEST(Recipe, AppliesItsStepsToPixels) {
  const auto recipe = parse_recipe(kDigits, "digits.yaml");
  const auto out = apply_to(*recipe, as_bytes(testing::png(8, 8, {0, 8})));
  ASSERT_TRUE(out) << out.error().message();
  EXPECT_EQ(out->width, 8u);
  EXPECT_EQ(out->tensor.shape, (std::vector<int64_t>{64}));
  const auto pixels = values<float>(out->tensor);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_FLOAT_EQ(pixels[i], testing::gradient(i % 8, i / 8, 0) / 240.0F);
}

struct LayoutCase {
  const char* layout;
  std::vector<int64_t> shape;
  size_t at;  // of channel 2, row 1, column 3 of a 5×4 picture
};

TEST(Recipe, LaysOut) {
  const std::string file = testing::png(5, 4, {2, 8});
  for (const LayoutCase& which : {LayoutCase{"hwc", {4, 5, 3}, (1 * 5 + 3) * 3 + 2},
                                  LayoutCase{"chw", {3, 4, 5}, 2 * 20 + 1 * 5 + 3},
                                  LayoutCase{"flat", {60}, (1 * 5 + 3) * 3 + 2}}) {
    const auto recipe = parse_recipe(
        "steps:\n  - layout: " + std::string(which.layout) + "\n  - type: uint8\n", "r");
    ASSERT_TRUE(recipe);
    EXPECT_EQ(recipe->shape(), std::nullopt) << "without resize the shape is the file's";
    const auto tensor = apply(*recipe, as_bytes(file));
    ASSERT_TRUE(tensor);
    EXPECT_EQ(tensor->shape, which.shape);
    EXPECT_EQ(values<uint8_t>(*tensor)[which.at], testing::gradient(3, 1, 2)) << which.layout;
  }
}

TEST(Recipe, NormalizesEachChannelAfterScaling) {
  const auto recipe = parse_recipe(
      "steps:\n  - decode: {color: rgb}\n  - scale: {}\n  - normalize: {mean: [0.5, 0.25, 0], std: "
      "[0.5, 0.25, 2]}\n"
      "  - type: float64\n",
      "r");
  ASSERT_TRUE(recipe) << recipe.error().message();
  const auto tensor = apply(*recipe, as_bytes(testing::png(2, 1, {2, 8})));
  ASSERT_TRUE(tensor);
  const auto out = values<double>(*tensor);
  EXPECT_NEAR(out[0], (testing::gradient(0, 0, 0) / 255.0 - 0.5) / 0.5, 1e-12);
  EXPECT_NEAR(out[4], (testing::gradient(1, 0, 1) / 255.0 - 0.25) / 0.25, 1e-12);
  EXPECT_NEAR(out[5], testing::gradient(1, 0, 2) / 255.0 / 2, 1e-12);
}

TEST(Recipe, RoundsAndClampsToBytes) {
  const auto recipe =
      parse_recipe("steps:\n  - scale: {from: [0, 10], to: [-5.6, 4.4]}\n  - type: uint8\n", "r");
  const auto flat = [](uint32_t x, uint32_t, uint32_t) {
    return static_cast<uint8_t>(x == 0 ? 0 : x == 1 ? 7 : 255);
  };
  const auto low = apply(*recipe, as_bytes(testing::png(3, 1, {0, 8}, flat)));
  EXPECT_EQ(values<uint8_t>(*low), (std::vector<uint8_t>{0, 1, 249}));
  const auto steep =
      parse_recipe("steps:\n  - scale: {from: [0, 1], to: [0, 100]}\n  - type: uint8\n", "r");
  EXPECT_EQ(values<uint8_t>(*apply(*steep, as_bytes(testing::png(3, 1, {0, 8}, flat)))),
            (std::vector<uint8_t>{0, 255, 255}));
}

TEST(Recipe, PadsInTheMiddleAndKeepsTheAspect) {
  const auto recipe = parse_recipe(
      "steps:\n  - decode: {color: gray}\n  - resize: {width: 4, height: 4, fit: pad, fill: 9}\n  "
      "- type: uint8\n",
      "r");
  ASSERT_TRUE(recipe) << recipe.error().message();
  const auto flat = [](uint32_t, uint32_t, uint32_t) { return uint8_t{200}; };
  EXPECT_EQ(values<uint8_t>(*apply(*recipe, as_bytes(testing::png(8, 4, {0, 8}, flat)))),
            (std::vector<uint8_t>{9, 9, 9, 9, 200, 200, 200, 200, 200, 200, 200, 200, 9, 9, 9, 9}));
  EXPECT_EQ(values<uint8_t>(*apply(*recipe, as_bytes(testing::png(1, 400, {0, 8}, flat))))[1], 200)
      << "a very thin picture keeps one pixel";
}

TEST(Recipe, FailsWithTheFilesFault) {
  const auto recipe = parse_recipe(kDigits, "r");
  EXPECT_EQ(apply(*recipe, as_bytes("text")).error().reason(), "not_an_image");
  EXPECT_EQ(apply(*recipe, as_bytes(testing::png(8, 8, {0, 8})).first(50)).error().reason(),
            "truncated_image");
  const auto rgb = parse_recipe("steps:\n  - normalize: {mean: [1, 2, 3], std: [1, 1, 1]}\n", "r");
  EXPECT_EQ(apply(*rgb, as_bytes(testing::png(8, 8, {0, 8}))).error().reason(), "wrong_channels");
}

struct BadCase {
  const char* yaml;
  const char* message;
};

TEST(Recipe, NamesThePlaceOfAnError) {
  for (const BadCase& bad : {
           BadCase{"", "steps: needs at least one step"},
           BadCase{"steps: []", "steps: needs at least one step"},
           BadCase{"steps:\n  - decod: {color: gray}", "r:2:5: steps[0].decod"},
           BadCase{"steps:\n  - decode: {colour: gray}", "r:2:14: steps[0].decode.colour"},
           BadCase{"steps:\n  - decode: {color: cmyk}", "'cmyk' is none of: gray, rgb, keep"},
           BadCase{"steps:\n  - resize: {width: 8}", "steps[0].resize.height: is required"},
           BadCase{"steps:\n  - resize: {width: 0, height: 8}",
                   "'0' is not a whole number from 1 to 16384"},
           BadCase{"steps:\n  - resize: {width: 8, height: 8, filter: cubic}",
                   "r:2:43: steps[0].resize.filter"},
           BadCase{"steps:\n  - resize: {width: 8, height: 8, fill: 1}", "only with fit: pad"},
           BadCase{"steps:\n  - scale: {from: [1, 1]}", "two different numbers"},
           BadCase{"steps:\n  - scale: {to: [1]}", "must be two numbers"},
           BadCase{"steps:\n  - normalize: {mean: [1]}", "steps[0].normalize.std"},
           BadCase{"steps:\n  - normalize: {mean: [1], std: [0]}", "must not hold 0"},
           BadCase{"steps:\n  - decode: {color: gray}\n  - normalize: {mean: [1, 2], std: [1, 1]}",
                   "has 2 numbers for 1 channels"},
           BadCase{"steps:\n  - layout: cwh", "'cwh' is none of: hwc, chw, flat"},
           BadCase{"steps:\n  - type: int4", "'int4' is none of: uint8, float32, float64"},
           BadCase{"steps:\n  - type: uint8\n  - layout: flat",
                   "r:3:13: steps[1].layout: must come before type"},
           BadCase{"steps:\n  - type: uint8\n  - type: uint8", "is there twice"},
           BadCase{"steps:\n  - type: uint8\n    layout: flat", "a step of its own"},
           BadCase{"steps:\n  - type: uint8\nextra: 1", "r:3:1: extra"},
       }) {
    const auto recipe = parse_recipe(bad.yaml, "r");
    ASSERT_FALSE(recipe) << bad.yaml;
    EXPECT_EQ(recipe.error().code(), Code::invalid_argument);
    EXPECT_NE(recipe.error().message().find(bad.message), std::string::npos)
        << bad.yaml << "\n→ " << recipe.error().message();
  }
}

}  // namespace
}  // namespace holdfast::transform
