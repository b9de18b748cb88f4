// PNG and JPEG, as files in a share are decoded.
#include "transform/image.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView file(reinterpret_cast<const std::byte*>(data), size);
  for (const auto color : {transform::Color::gray, transform::Color::keep}) {
    auto image = transform::decode(file, color, {8, 8});
    if (image && uint64_t{image->width} * image->height < 1 << 20)
      (void)transform::resize(*image, 8, 8, transform::Filter::area);
  }
  return 0;
}
