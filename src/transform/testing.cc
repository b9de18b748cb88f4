#include "transform/testing.h"

#include <png.h>
#include <turbojpeg.h>

#include <csetjmp>
#include <cstdlib>
#include <vector>

namespace holdfast::transform::testing {

uint8_t gradient(uint32_t x, uint32_t y, uint32_t channel) {
  return static_cast<uint8_t>(x * 5 + y * 3 + channel * 60);
}

std::string png(uint32_t width, uint32_t height, PngKind kind, const Pattern& pattern) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  if (setjmp(png_jmpbuf(png))) std::abort();
  png_set_write_fn(
      png, &out,
      [](png_structp p, png_bytep bytes, size_t size) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(bytes), size);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, width, height, kind.bit_depth, kind.color_type,
               kind.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> palette(size_t{1} << std::min(kind.bit_depth, 8));
  if (kind.color_type == PNG_COLOR_TYPE_PALETTE) {
    for (size_t i = 0; i < palette.size(); ++i) {
      const auto level = static_cast<uint8_t>(i * 255 / (palette.size() - 1));
      palette[i] = {level, static_cast<uint8_t>(255 - level), static_cast<uint8_t>(level / 2)};
    }
    png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  }
  png_write_info(png, info);
  const uint32_t channels = png_get_channels(png, info);
  const bool alpha = (kind.color_type & PNG_COLOR_MASK_ALPHA) != 0;
  std::vector<std::vector<uint8_t>> rows(height, std::vector<uint8_t>(png_get_rowbytes(png, info)));
  std::vector<png_bytep> pointers;
  for (uint32_t y = 0; y < height; ++y) {
    pointers.push_back(rows[y].data());
    for (uint32_t i = 0; i < width * channels; ++i) {
      const uint32_t c = i % channels;
      const uint8_t value = alpha && c == channels - 1 ? 128 : pattern(i / channels, y, c);
      if (kind.bit_depth == 16) {
        rows[y][2 * i] = rows[y][2 * i + 1] = value;
      } else if (kind.bit_depth == 8) {
        rows[y][i] = value;
      } else {
        const uint32_t bit = i * static_cast<uint32_t>(kind.bit_depth);
        rows[y][bit / 8] |= static_cast<uint8_t>(
            (value >> (8 - kind.bit_depth)) << (8 - kind.bit_depth - static_cast<int>(bit % 8)));
      }
    }
  }
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return out;
}

std::string jpeg(uint32_t width, uint32_t height, uint32_t channels, bool progressive,
                 const Pattern& pattern) {
  std::vector<uint8_t> pixels(size_t{width} * height * channels);
  for (size_t i = 0; i < pixels.size(); ++i) {
    const auto pixel = static_cast<uint32_t>(i / channels);
    pixels[i] = pattern(pixel % width, pixel / width, static_cast<uint32_t>(i % channels));
  }
  tjhandle handle = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const int format = channels == 1 ? TJPF_GRAY : channels == 3 ? TJPF_RGB : TJPF_CMYK;
  if (tjCompress2(handle, pixels.data(), static_cast<int>(width), 0, static_cast<int>(height),
                  format, &bytes, &size, channels == 1 ? TJSAMP_GRAY : TJSAMP_444, 95,
                  progressive ? TJFLAG_PROGRESSIVE : 0) != 0)
    std::abort();
  std::string out(reinterpret_cast<char*>(bytes), size);
  tjFree(bytes);
  tjDestroy(handle);
  return out;
}

}  // namespace holdfast::transform::testing
