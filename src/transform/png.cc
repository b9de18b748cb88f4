#include <png.h>

#include <cstdio>
#include <cstring>

#include "transform/image.h"

// libpng reports errors with longjmp. Functions that call setjmp hold plain pointers only; all that
// owns memory lives in their caller.
namespace holdfast::transform {
namespace {

struct Reading {
  ByteView file;
  size_t at = 0;
  bool ran_out = false;
  char message[128] = "";
};

void give(png_structp png, png_bytep into, size_t size) {
  auto* reading = static_cast<Reading*>(png_get_io_ptr(png));
  if (reading->file.size() - reading->at < size) {
    reading->ran_out = true;
    png_error(png, "the file ends too early");
  }
  std::memcpy(into, reading->file.data() + reading->at, size);
  reading->at += size;
}

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* reading = static_cast<Reading*>(png_get_error_ptr(png));
  std::snprintf(reading->message, sizeof reading->message, "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

bool read_head(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_info(png, info);
  png_set_expand(png);    // palettes to colours, 1-, 2- and 4-bit gray to 8, tRNS to alpha
  png_set_scale_16(png);  // 16-bit to 8
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return true;
}

bool read_pixels(png_structp png, png_bytepp rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  return true;
}

struct Decoder {
  explicit Decoder(Reading* reading)
      : png(png_create_read_struct(PNG_LIBPNG_VER_STRING, reading, on_error, on_warning)) {
    if (png) info = png_create_info_struct(png);
  }
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  png_structp png;
  png_infop info = nullptr;
};

Error problem(const Reading& reading) {
  // Chunks that do not follow each other are what a hole leaves; libpng's own word for it says
  // enough.
  if (reading.ran_out || std::strstr(reading.message, "Not enough image data"))
    return Error(Code::invalid_argument, "truncated_image", std::string("PNG: ") + reading.message);
  return Error(Code::invalid_argument, "broken_image", std::string("PNG: ") + reading.message);
}

uint32_t big_endian(ByteView bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<uint32_t>(bytes[i]);
  return value;
}

// Width, height and the most bytes a pixel can take, read before libpng sees the file.
Result<void> check_header(ByteView file) {
  if (file.size() < 33)
    return fail(Code::invalid_argument, "truncated_image", "PNG: the file ends in its header");
  if (as_text(file.subspan(12, 4)) != "IHDR")
    return fail(Code::invalid_argument, "broken_image", "PNG: the first chunk is not IHDR");
  const uint64_t width = big_endian(file.subspan(16)), height = big_endian(file.subspan(20));
  const unsigned color = std::to_integer<unsigned>(file[25]);
  TRY_VOID(check_size(width, height, color == 0 ? 1 : color == 4 ? 2 : color == 2 ? 3 : 4));
  // Deflate can not expand more than 1032 times: a header that promises more is not worth the
  // memory.
  const uint64_t bits = std::to_integer<uint64_t>(file[24]) * (color == 2   ? 3
                                                               : color == 4 ? 2
                                                               : color == 6 ? 4
                                                                            : 1);
  if (width * height * bits / 8 > 1032 * uint64_t{file.size()}) {
    return fail(Code::invalid_argument, "truncated_image",
                "PNG: " + std::to_string(file.size()) + " bytes can not hold " +
                    std::to_string(width) + "×" + std::to_string(height) + " pixels");
  }
  return {};
}

}  // namespace

Result<Image> decode_png(ByteView file, Color color) {
  TRY_VOID(check_header(file));
  Reading reading;
  reading.file = file;
  Decoder decoder(&reading);
  if (!decoder.info) return fail(Code::unavailable, "PNG: no memory for a decoder");
  png_set_read_fn(decoder.png, &reading, give);
  png_set_user_limits(decoder.png, kMaxSide, kMaxSide);
  png_set_chunk_malloc_max(decoder.png, 8 << 20);
  png_set_chunk_cache_max(decoder.png, 64);
  if (!read_head(decoder.png, decoder.info)) return std::unexpected(problem(reading));
  Image image;
  image.width = image.file_width = png_get_image_width(decoder.png, decoder.info);
  image.height = image.file_height = png_get_image_height(decoder.png, decoder.info);
  image.channels = png_get_channels(decoder.png, decoder.info);
  TRY_VOID(check_size(image.width, image.height, image.channels));
  const size_t row = size_t{image.width} * image.channels;
  if (png_get_rowbytes(decoder.png, decoder.info) != row)
    return fail(Code::internal, "PNG: a row is not " + std::to_string(row) + " bytes");
  image.samples.resize(row * image.height);
  std::vector<png_bytep> rows(image.height);
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = image.samples.data() + y * row;
  if (!read_pixels(decoder.png, rows.data())) return std::unexpected(problem(reading));
  return recolor(std::move(image), color);
}

}  // namespace holdfast::transform
