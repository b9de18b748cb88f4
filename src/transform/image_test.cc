#include "transform/image.h"

#include <gtest/gtest.h>
#include <png.h>

#include <cstdlib>

#include "base/digest.h"
#include "transform/testing.h"

namespace holdfast::transform {
namespace {

using testing::gradient;
using testing::PngKind;

uint8_t luma(uint8_t r, uint8_t g, uint8_t b) {
  return static_cast<uint8_t>((19595u * r + 38470u * g + 7471u * b + 0x8000u) >> 16);
}

struct PngCase {
  const char* name;
  PngKind kind;
  uint32_t channels;  // when kept
};

class PngKinds : public ::testing::TestWithParam<PngCase> {};

TEST_P(PngKinds, GiveTheirSamples) {
  const PngCase& which = GetParam();
  const std::string file = testing::png(13, 7, which.kind);
  const auto kept = decode(as_bytes(file), Color::keep);
  ASSERT_TRUE(kept) << kept.error().message();
  EXPECT_EQ(kept->width, 13u);
  EXPECT_EQ(kept->height, 7u);
  ASSERT_EQ(kept->channels, which.channels);
  ASSERT_EQ(kept->samples.size(), 13u * 7 * which.channels);
  const auto gray = decode(as_bytes(file), Color::gray), rgb = decode(as_bytes(file), Color::rgb);
  ASSERT_TRUE(gray && rgb);
  EXPECT_EQ(gray->samples.size(), 13u * 7);
  EXPECT_EQ(rgb->samples.size(), 13u * 7 * 3);
  for (uint32_t y = 0; y < 7; ++y) {
    for (uint32_t x = 0; x < 13; ++x) {
      const size_t pixel = y * 13 + x;
      uint8_t want[3];
      for (uint32_t c = 0; c < 3; ++c) {
        const bool color =
            (which.kind.color_type & PNG_COLOR_MASK_COLOR) != 0 && which.kind.color_type != 3;
        want[c] = gradient(x, y, color ? c : 0);
        if (which.kind.bit_depth < 8) {
          const int depth = which.kind.bit_depth, most = (1 << depth) - 1;
          want[c] = static_cast<uint8_t>((want[c] >> (8 - depth)) * 255 / most);
        }
      }
      if (which.kind.color_type == PNG_COLOR_TYPE_PALETTE) {
        const uint8_t level = want[0];
        want[1] = static_cast<uint8_t>(255 - level);
        want[2] = level / 2;
      }
      for (uint32_t c = 0; c < 3; ++c)
        ASSERT_EQ(rgb->samples[3 * pixel + c], want[c]) << x << ' ' << y << ' ' << c;
      const bool colored = which.channels >= 3;
      ASSERT_EQ(gray->samples[pixel], colored ? luma(want[0], want[1], want[2]) : want[0]);
      ASSERT_EQ(kept->samples[pixel * which.channels], want[0]);
      if (which.channels % 2 == 0)
        ASSERT_EQ(kept->samples[pixel * which.channels + which.channels - 1], 128);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, PngKinds,
    ::testing::Values(PngCase{"gray1", {0, 1}, 1}, PngCase{"gray2", {0, 2}, 1},
                      PngCase{"gray4", {0, 4}, 1}, PngCase{"gray8", {0, 8}, 1},
                      PngCase{"gray16", {0, 16}, 1}, PngCase{"rgb8", {2, 8}, 3},
                      PngCase{"rgb16", {2, 16}, 3}, PngCase{"palette1", {3, 1}, 3},
                      PngCase{"palette2", {3, 2}, 3}, PngCase{"palette4", {3, 4}, 3},
                      PngCase{"palette8", {3, 8}, 3}, PngCase{"grayalpha8", {4, 8}, 2},
                      PngCase{"grayalpha16", {4, 16}, 2}, PngCase{"rgba8", {6, 8}, 4},
                      PngCase{"rgba16", {6, 16}, 4}, PngCase{"interlaced", {2, 8, true}, 3},
                      PngCase{"interlaced1", {0, 1, true}, 1}),
    [](const auto& info) { return info.param.name; });

TEST(Png, AnyCutIsTruncated) {
  for (const std::string& file :
       {testing::png(40, 40, {2, 8}), testing::png(40, 40, {0, 8, true})}) {
    for (size_t part = 0; part < 16; ++part) {
      const std::string cut = file.substr(0, file.size() * part / 16);
      const auto image = decode(as_bytes(cut), Color::gray);
      ASSERT_FALSE(image) << part;
      EXPECT_EQ(image.error().reason(), "truncated_image")
          << part << ": " << image.error().message();
    }
    const auto almost = decode(as_bytes(file).first(file.size() - 1), Color::gray);
    ASSERT_FALSE(almost) << "the last byte is missing";
  }
}

TEST(Png, AnyChangedByteOfTheDataIsBroken) {
  const std::string file = testing::png(20, 20, {2, 8});
  for (size_t at = file.find("IDAT") + 4; at < file.size() - 12; at += 3) {
    std::string changed = file;
    changed[at] = static_cast<char>(changed[at] ^ 0x55);
    const auto image = decode(as_bytes(changed), Color::rgb);
    ASSERT_FALSE(image) << at;
    EXPECT_EQ(image.error().code(), Code::invalid_argument);
  }
}

std::string with_size(std::string file, uint32_t width, uint32_t height) {
  for (int i = 0; i < 4; ++i) {
    file[16 + static_cast<size_t>(i)] = static_cast<char>(width >> (24 - 8 * i));
    file[20 + static_cast<size_t>(i)] = static_cast<char>(height >> (24 - 8 * i));
  }
  const uint32_t crc = crc32(as_bytes(file).subspan(12, 17));
  for (int i = 0; i < 4; ++i)
    file[29 + static_cast<size_t>(i)] = static_cast<char>(crc >> (24 - 8 * i));
  return file;
}

TEST(Png, LimitsComeBeforeMemory) {
  const std::string small = testing::png(8, 8, {2, 8});
  const auto wide = decode(as_bytes(with_size(small, 16385, 1)), Color::rgb);
  EXPECT_EQ(wide.error().code(), Code::too_large);
  EXPECT_EQ(wide.error().reason(), "image_too_large");
  const auto large = decode(as_bytes(with_size(small, 16384, 16384)), Color::rgb);
  EXPECT_EQ(large.error().code(), Code::too_large);
  const auto bomb = decode(as_bytes(with_size(small, 4096, 4096)), Color::rgb);
  EXPECT_EQ(bomb.error().reason(), "truncated_image") << "more pixels than its bytes can hold";
  const auto none = decode(as_bytes(with_size(small, 0, 8)), Color::rgb);
  EXPECT_EQ(none.error().reason(), "broken_image");
}

class JpegKinds : public ::testing::TestWithParam<bool> {};

TEST_P(JpegKinds, GiveTheirSamples) {
  for (const uint32_t channels : {1u, 3u}) {
    // Smooth: what JPEG keeps nearly unchanged.
    const auto smooth = [](uint32_t x, uint32_t y, uint32_t c) {
      return static_cast<uint8_t>(x + y + 20 * c);
    };
    const std::string file = testing::jpeg(64, 48, channels, GetParam(), smooth);
    const auto image = decode(as_bytes(file), Color::keep);
    ASSERT_TRUE(image) << image.error().message();
    ASSERT_EQ(image->channels, channels);
    for (uint32_t i = 0; i < 64 * 48 * channels; ++i) {
      const uint32_t pixel = i / channels;
      ASSERT_NEAR(image->samples[i], smooth(pixel % 64, pixel / 64, i % channels), 6);
    }
    const auto gray = decode(as_bytes(file), Color::gray), rgb = decode(as_bytes(file), Color::rgb);
    ASSERT_TRUE(gray && rgb);
    EXPECT_EQ(gray->channels, 1u);
    EXPECT_EQ(rgb->channels, 3u);
  }
}

TEST_P(JpegKinds, AnyCutIsTruncated) {
  const std::string file = testing::jpeg(64, 64, 3, GetParam());
  for (size_t part = 0; part < 16; ++part) {
    for (const AtLeast at_least : {AtLeast{}, AtLeast{8, 8}}) {
      const auto image =
          decode(as_bytes(file).first(file.size() * part / 16), Color::gray, at_least);
      ASSERT_FALSE(image) << part;
      EXPECT_EQ(image.error().reason(), "truncated_image")
          << part << ": " << image.error().message();
    }
  }
  ASSERT_FALSE(decode(as_bytes(file).first(file.size() - 1), Color::gray))
      << "the last byte is missing";
}

INSTANTIATE_TEST_SUITE_P(Both, JpegKinds, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "progressive" : "baseline"; });

TEST(Jpeg, ScalesWhileItDecodes) {
  const std::string file = testing::jpeg(640, 480, 3);
  const auto image = decode(as_bytes(file), Color::gray, {32, 32});
  ASSERT_TRUE(image);
  EXPECT_LT(image->width, 640u);
  EXPECT_GE(image->width, 64u);
  EXPECT_GE(image->height, 64u);
  EXPECT_EQ(image->file_width, 640u);
  EXPECT_EQ(image->file_height, 480u);
  EXPECT_EQ(decode(as_bytes(file), Color::gray, {400, 400})->width, 640u);
}

TEST(Jpeg, RefusesWhatItCanNotShow) {
  EXPECT_EQ(decode(as_bytes(testing::jpeg(16, 16, 4)), Color::rgb).error().code(),
            Code::unsupported);
  std::string large = testing::jpeg(16, 16, 3);
  const size_t frame = large.find("\xff\xc0");
  for (size_t i = 5; i < 9; ++i) large[frame + i] = '\x7f';
  EXPECT_EQ(decode(as_bytes(large), Color::rgb).error().reason(), "image_too_large");
  std::string zero = testing::jpeg(16, 16, 3);
  for (size_t i = 5; i < 9; ++i) zero[frame + i] = '\0';
  EXPECT_EQ(decode(as_bytes(zero), Color::rgb).error().reason(), "broken_image");
}

TEST(Decode, JudgesByBytes) {
  for (const std::string text : {"GIF89a..............", "hello", "BM", "\x93NUMPY", "{\"a\":1}"}) {
    EXPECT_EQ(decode(as_bytes(text), Color::gray).error().reason(), "not_an_image");
  }
  EXPECT_EQ(decode(as_bytes(""), Color::gray).error().reason(), "truncated_image");
  EXPECT_EQ(decode(as_bytes("\x89PN"), Color::gray).error().reason(), "truncated_image");
}

TEST(Decode, GarbageIsAnErrorAndNothingElse) {
  std::srand(7);
  const std::string png = testing::png(24, 24, {6, 8}), jpeg = testing::jpeg(24, 24, 3, true);
  for (int round = 0; round < 2000; ++round) {
    std::string file = round % 2 ? png : jpeg;
    for (int change = 0; change < 1 + round % 8; ++change)
      file[8 + static_cast<size_t>(std::rand()) % (file.size() - 8)] =
          static_cast<char>(std::rand());
    const auto image = decode(as_bytes(file), Color::gray, {4, 4});
    if (image) EXPECT_EQ(image->samples.size(), size_t{image->width} * image->height);
  }
}

}  // namespace
}  // namespace holdfast::transform
