// Pictures for tests, made by the real encoders.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace holdfast::transform::testing {

struct PngKind {
  int color_type = 0;  // PNG_COLOR_TYPE_…
  int bit_depth = 8;
  bool interlaced = false;
};

// The value of a sample (0..255) at x, y, channel; 16-bit files hold it twice, smaller depths its
// high bits.
using Pattern = std::function<uint8_t(uint32_t, uint32_t, uint32_t)>;

// A gradient that differs in each channel.
uint8_t gradient(uint32_t x, uint32_t y, uint32_t channel);

// Palettes hold the 2^depth grays i, 255 - i, i / 2 spread over the range; alpha is 128 everywhere.
std::string png(uint32_t width, uint32_t height, PngKind kind, const Pattern& pattern = gradient);
// channels 1, 3 or 4 (CMYK).
std::string jpeg(uint32_t width, uint32_t height, uint32_t channels, bool progressive = false,
                 const Pattern& pattern = gradient);

}  // namespace holdfast::transform::testing
