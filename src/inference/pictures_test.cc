#include "inference/pictures.h"

#include <gtest/gtest.h>

#include <cstring>

namespace holdfast::inference {
namespace {

// One row of the grays 0 and 255, and one red pixel (255, 0, 51), as Pillow writes them.
const std::string kGray = *from_base64(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR42mNg+A8AAQIBANEay48AAAAASUVORK5CYII=");
const std::string kRed = *from_base64(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z2AMAAM0ATNaGhQ7AAAAAElFTkSuQmCC");

std::string recipe(int width, int height, const std::string& color, const std::string& layout) {
  return "steps:\n  - decode: {color: " + color +
         "}\n  - resize: {width: " + std::to_string(width) + ", height: " + std::to_string(height) +
         "}\n  - scale: {}\n  - layout: " + layout + "\n";
}

Signature inputs(std::vector<TensorInfo> all) {
  return {.inputs = std::move(all), .outputs = {}};
}

TensorView files(std::vector<std::string_view> texts) {
  return {.name = "x",
          .type = Datatype::bytes,
          .shape = {static_cast<int64_t>(texts.size())},
          .data = {},
          .texts = std::move(texts)};
}

struct Decoded {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

Result<Decoded> decode(const std::string& yaml, const std::vector<int64_t>& wanted,
                       std::vector<std::string_view> texts, MonoTime deadline = MonoTime::max()) {
  const Signature signature = inputs({{"x", Datatype::fp32, wanted, true}});
  TRY(const PictureInput made, picture_input(yaml, signature));
  TensorView view = files(std::move(texts));
  std::vector<Bytes> owned;
  TRY_VOID(decode_pictures(made, signature.inputs[0], deadline, view, owned));
  Decoded decoded{view.shape, std::vector<float>(view.data.size() / sizeof(float))};
  std::memcpy(decoded.values.data(), view.data.data(), view.data.size());
  return decoded;
}

TEST(Pictures, BecomeTheRowsOfABatch) {
  const auto made = decode(recipe(1, 1, "rgb", "chw"), {-1, 3, 1, 1}, {kRed, kGray, kRed});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->shape, (std::vector<int64_t>{3, 3, 1, 1}));
  ASSERT_EQ(made->values.size(), 9u);
  for (const size_t row : {0u, 6u}) {
    EXPECT_FLOAT_EQ(made->values[row], 1);
    EXPECT_FLOAT_EQ(made->values[row + 1], 0);
    EXPECT_FLOAT_EQ(made->values[row + 2], 0.2F);
  }
  EXPECT_FLOAT_EQ(made->values[3], made->values[5]);
}

TEST(Pictures, HaveTheirOwnSizeWhereNothingFixesIt) {
  const std::string open = "steps:\n  - decode: {color: gray}\n  - scale: {}\n";
  const auto made = decode(open, {-1, -1, 1}, {kGray});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->shape, (std::vector<int64_t>{1, 2, 1}));
  const auto two = decode(open, {-1, -1, -1, 1}, {kGray, kRed});
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error().message(),
            "input 'x', picture 2 of 2 has the shape [1,1,1], the first one [1,2,1]");
}

TEST(Pictures, ThatAreNoneAreNamedByTheirPlace) {
  const auto made = decode(recipe(1, 1, "gray", "flat"), {-1, 1}, {kGray, "GIF89a"});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), Code::invalid_argument);
  EXPECT_EQ(made.error().message().find("input 'x', picture 2 of 2: "), 0u)
      << made.error().message();
}

TEST(Pictures, AreLimitedTogether) {
  const std::vector<std::string_view> many(6, kGray);  // 50 MB each
  const auto made = decode(recipe(2048, 2048, "rgb", "chw"), {-1, 3, 2048, 2048}, many);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), Code::too_large) << made.error().message();
}

TEST(Pictures, EndWithTheDeadline) {
  const auto made =
      decode(recipe(1, 1, "gray", "flat"), {-1, 1}, {kGray}, std::chrono::steady_clock::now());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), Code::timed_out);
}

TEST(Pictures, FindTheInputThatTheirTensorsFit) {
  const std::string yaml = recipe(4, 2, "rgb", "chw");
  const TensorInfo picture{"p", Datatype::fp32, {-1, 3, 2, 4}}, number{"n", Datatype::int64, {-1}},
      other{"o", Datatype::fp32, {-1, 3, 4, 2}};
  const auto found = picture_input(yaml, inputs({number, other, picture}));
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->input, 2u);
  for (const auto& signature : {inputs({number, other}), inputs({picture, picture})}) {
    const auto none = picture_input(yaml, signature);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), Code::invalid_argument);
  }
}

TEST(Pictures, WaitInABoundedQueue) {
  PictureDecoder decoder(1, 0);
  const Signature signature = inputs({{"x", Datatype::fp32, {-1, 1}, true}});
  const auto made = picture_input(recipe(1, 1, "gray", "flat"), signature);
  ASSERT_TRUE(made);
  std::vector<TensorView> views{files({kGray})};
  std::vector<Bytes> owned;
  const auto refused = run_task(decoder.run(*made, signature, MonoTime::max(), views, owned));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason(), "queue_full");
}

}  // namespace
}  // namespace holdfast::inference
