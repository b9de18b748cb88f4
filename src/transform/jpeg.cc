#include <turbojpeg.h>

#include <memory>
#include <optional>

#include "transform/image.h"

namespace holdfast::transform {
namespace {

struct Closer {
  void operator()(void* handle) const { tjDestroy(handle); }
};

// What the markers before the first scan say.
struct Head {
  uint64_t width = 0, height = 0;
  unsigned components = 0;
  bool whole_coefficients =
      false;  // several scans: the decoder keeps every coefficient, 2 bytes each
};

Error truncated(std::string_view why) {
  return Error(Code::invalid_argument, "truncated_image", "JPEG: " + std::string(why));
}
Error broken(std::string_view why) {
  return Error(Code::invalid_argument, "broken_image", "JPEG: " + std::string(why));
}

// Walks the segments up to the start of the first scan.
Result<Head> read_head(ByteView file) {
  const auto byte = [&](size_t at) { return std::to_integer<unsigned>(file[at]); };
  Head head;
  size_t at = 2;
  while (true) {
    while (at < file.size() && byte(at) == 0xff) ++at;  // 0xff may be repeated before a marker
    if (at >= file.size()) return std::unexpected(truncated("the file ends in its header"));
    if (byte(at - 1) != 0xff) return std::unexpected(broken("no marker where one belongs"));
    const unsigned marker = byte(at++);
    if (marker == 0xd9) return std::unexpected(truncated("the file ends without a picture"));
    if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;  // without a length
    if (file.size() - at < 2) return std::unexpected(truncated("the file ends in its header"));
    const size_t length = byte(at) << 8 | byte(at + 1);
    if (length < 2) return std::unexpected(broken("a segment without a length"));
    if (file.size() - at < length) return std::unexpected(truncated("the file ends in its header"));
    const bool frame =
        marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame && length >= 8) {
      head.height = byte(at + 3) << 8 | byte(at + 4);
      head.width = byte(at + 5) << 8 | byte(at + 6);
      head.components = byte(at + 7);
      head.whole_coefficients = marker == 0xc2;
    }
    if (marker == 0xda) {
      if (head.width == 0 || head.height == 0 || head.components == 0)
        return std::unexpected(broken("a scan without a frame"));
      if (length >= 3 && byte(at + 2) < head.components) head.whole_coefficients = true;
      return head;
    }
    at += length;
  }
}

// The end marker can not occur inside a scan's data: a file without one was cut.
Error problem(tjhandle handle, ByteView file) {
  const std::string_view text = tjGetErrorStr2(handle);
  const bool ends = as_text(file).rfind("\xff\xd9") != std::string_view::npos;
  if (!ends || text.find("remature end") != std::string_view::npos) return truncated(text);
  return broken(text);
}

// The smallest picture that a decoder can make directly and that still has twice the asked sides.
// Both sides divide without a rest: else the last row and column would hold less than the others,
// and the resize, which takes them as whole, would shift the picture.
tjscalingfactor factor_for(const Head& head, AtLeast at_least) {
  tjscalingfactor best{1, 1};
  if (at_least.width == 0 || at_least.height == 0) return best;
  int count = 0;
  const tjscalingfactor* factors = tjGetScalingFactors(&count);
  for (int i = 0; i < count; ++i) {
    const tjscalingfactor& factor = factors[i];
    const bool smaller = factor.num * best.denom < best.num * factor.denom;
    const auto scaled = [&](uint64_t side) {
      return static_cast<uint64_t>(TJSCALED(static_cast<int>(side), factor));
    };
    const bool whole = uint64_t{head.width} * factor.num % factor.denom == 0 &&
                       uint64_t{head.height} * factor.num % factor.denom == 0;
    if (smaller && whole && scaled(head.width) >= 2ull * at_least.width &&
        scaled(head.height) >= 2ull * at_least.height)
      best = factor;
  }
  return best;
}

}  // namespace

Result<Image> decode_jpeg(ByteView file, Color color, AtLeast at_least) {
  TRY(const Head head, read_head(file));
  if (head.components != 1 && head.components != 3)
    return fail(Code::unsupported, "unsupported_image",
                "JPEG: only gray and YCbCr or RGB colour are read");
  TRY_VOID(check_size(head.width, head.height, head.whole_coefficients ? 2 * head.components : 0));
  const std::unique_ptr<void, Closer> handle(tjInitDecompress());
  if (!handle) return fail(Code::unavailable, "JPEG: no memory for a decoder");
  const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
  int width = 0, height = 0, subsampling = 0, colorspace = 0;
  if (tjDecompressHeader3(handle.get(), bytes, file.size(), &width, &height, &subsampling,
                          &colorspace) != 0)
    return std::unexpected(problem(handle.get(), file));
  if (static_cast<uint64_t>(width) != head.width || static_cast<uint64_t>(height) != head.height)
    return std::unexpected(broken("two frames of different sizes"));
  const tjscalingfactor factor = factor_for(head, at_least);
  Image image;
  image.file_width = static_cast<uint32_t>(width);
  image.file_height = static_cast<uint32_t>(height);
  image.width = static_cast<uint32_t>(TJSCALED(width, factor));
  image.height = static_cast<uint32_t>(TJSCALED(height, factor));
  const bool gray = color == Color::gray || (color == Color::keep && head.components == 1);
  // Colour that is stored as RGB has no luma of its own to take.
  const bool luma = gray && colorspace != TJCS_RGB;
  image.channels = luma ? 1 : 3;
  TRY_VOID(check_size(image.width, image.height, image.channels));
  image.samples.resize(size_t{image.width} * image.height * image.channels);
  if (tjDecompress2(handle.get(), bytes, file.size(), image.samples.data(),
                    static_cast<int>(image.width), 0, static_cast<int>(image.height),
                    luma ? TJPF_GRAY : TJPF_RGB, TJFLAG_LIMITSCANS) != 0)
    return std::unexpected(problem(handle.get(), file));
  return gray ? recolor(std::move(image), Color::gray) : image;
}

}  // namespace holdfast::transform
