#include "transform/image.h"

namespace holdfast::transform {

Result<Image> decode(ByteView file, Color color, AtLeast at_least) {
  constexpr std::string_view kPng("\x89PNG\r\n\x1a\n", 8), kJpeg("\xff\xd8\xff", 3);
  const std::string_view text = as_text(file);
  if (text.empty()) return fail(Code::invalid_argument, "truncated_image", "the file is empty");
  if (text.starts_with(kPng)) return decode_png(file, color);
  if (text.starts_with(kJpeg)) return decode_jpeg(file, color, at_least);
  if (kPng.starts_with(text) || kJpeg.starts_with(text))
    return fail(Code::invalid_argument, "truncated_image", "the file ends in its first bytes");
  return fail(Code::invalid_argument, "not_an_image", "the file is neither PNG nor JPEG");
}

Result<void> check_size(uint64_t width, uint64_t height, uint64_t channels) {
  if (width > kMaxSide || height > kMaxSide) {
    return fail(Code::too_large, "image_too_large",
                "the picture is " + std::to_string(width) + "×" + std::to_string(height) +
                    " pixels, the limit is " + std::to_string(kMaxSide) + " a side");
  }
  if (width * height * channels > kMaxBytes) {
    return fail(Code::too_large, "image_too_large",
                "the picture needs " + format_size(width * height * channels) +
                    " decoded, the limit is " + format_size(kMaxBytes));
  }
  return {};
}

Image recolor(Image image, Color color) {
  const uint32_t from = image.channels, to = color == Color::gray  ? 1
                                             : color == Color::rgb ? 3
                                                                   : from;
  if (from == to) return image;
  const size_t pixels = size_t{image.width} * image.height;
  std::vector<uint8_t> out(pixels * to);
  const uint8_t* in = image.samples.data();
  for (size_t i = 0; i < pixels; ++i, in += from) {
    if (to == 3) {
      for (size_t c = 0; c < 3; ++c) out[3 * i + c] = from >= 3 ? in[c] : in[0];
    } else {
      // ITU-R 601 luma in 16-bit fixed point, rounded, as Pillow does it.
      out[i] = from < 3 ? in[0]
                        : static_cast<uint8_t>(
                              (19595u * in[0] + 38470u * in[1] + 7471u * in[2] + 0x8000u) >> 16);
    }
  }
  image.samples = std::move(out);
  image.channels = to;
  return image;
}

}  // namespace holdfast::transform
