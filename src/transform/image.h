// Pictures in memory: decoding within limits, and resizing. Plain functions, any thread; they block
// for as long as the decoding takes, so call them on a pool.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace holdfast::transform {

inline constexpr uint32_t kMaxSide = 16384;          // pixels
inline constexpr uint64_t kMaxBytes = 256ull << 20;  // of decoded samples, and of a tensor

enum class Color { gray, rgb, keep };  // keep: the file's own 1 to 4 channels
enum class Filter { nearest, area, bilinear, lanczos };

class Image {
 public:
  uint32_t width = 0, height = 0;            // of the samples here
  uint32_t file_width = 0, file_height = 0;  // of the picture in the file
  uint32_t channels = 1;                     // 1 gray, 2 gray+alpha, 3 RGB, 4 RGBA
  std::vector<uint8_t> samples;              // rows of pixels of channels
};

// The same with real samples.
class Samples {
 public:
  uint32_t width = 0, height = 0, channels = 1;
  std::vector<float> values;
};

// How small a decoder may make the picture while it decodes, because a resize follows. 0: not at
// all.
struct AtLeast {
  uint32_t width = 0, height = 0;
};

// Decodes by what the bytes are, never by a name. Orientation and colour profiles inside the file
// are ignored: samples are taken as they are stored. 16-bit samples become 8-bit; palettes their
// colours; gray and rgb drop alpha, as Pillow's convert() does. Gray of colour is ITU-R 601 luma.
// invalid_argument with reason not_an_image (neither PNG nor JPEG), truncated_image or
// broken_image; unsupported (CMYK JPEG); too_large with reason image_too_large, before any
// allocation.
Result<Image> decode(ByteView file, Color color, AtLeast at_least = {});

// The two decoders behind it.
Result<Image> decode_png(ByteView file, Color color);
Result<Image> decode_jpeg(ByteView file, Color color, AtLeast at_least);

// Converts to the channels that `color` asks for.
Image recolor(Image image, Color color);
// too_large over kMaxSide or kMaxBytes.
Result<void> check_size(uint64_t width, uint64_t height, uint64_t channels);

// bilinear and lanczos are those of Pillow: widened by the factor when shrinking, so that every
// source pixel counts; area weighs each source pixel by how much of it is covered. width and height
// are at least 1. too_large.
Result<Samples> resize(const Image& image, uint32_t width, uint32_t height, Filter filter);
Samples to_samples(const Image& image);

}  // namespace holdfast::transform
