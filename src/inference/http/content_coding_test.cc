#include "inference/http/content_coding.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace holdfast::inference {
namespace {

// `window` 15: a zlib stream; 15 + 16: gzip.
std::string compressed(const std::string& text, int window) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

constexpr uint64_t kLimit = 1 << 20;

TEST(Decompress, BothKindsComeBackWhole) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{65'536}, size_t{kLimit}}) {
    const std::string text(size, 'x');
    EXPECT_EQ(decompress("gzip", compressed(text, 31), kLimit).value(), text);
    EXPECT_EQ(decompress("Deflate", compressed(text, 15), kLimit).value(), text);
  }
  EXPECT_EQ(decompress("", "as it is", kLimit).value(), "as it is");
  EXPECT_EQ(decompress("identity", "as it is", kLimit).value(), "as it is");
}

TEST(Compress, ComesBackInTwoPartsAsInOne) {
  const std::string first(70'000, 'a'), second = "b" + std::string(70'000, 'c');
  for (const auto& [one, two] : {std::pair(first, second), {first, ""}, {"", second}, {"", ""}}) {
    for (const char* coding : {"gzip", "deflate"})
      EXPECT_EQ(decompress(coding, compress(coding, one, as_bytes(two)).value(), kLimit).value(),
                one + two);
  }
  EXPECT_EQ(compress("gzip", "", {})->substr(0, 2), "\x1f\x8b");
}

TEST(Compress, IsForThoseWhoAskForOneCoding) {
  EXPECT_EQ(wanted_coding(" GZIP "), "gzip");
  EXPECT_EQ(wanted_coding("deflate"), "deflate");
  for (const char* other : {"", "*", "br", "gzip, deflate", "gzip;q=0", "identity"})
    EXPECT_EQ(wanted_coding(other), "") << other;
}

TEST(Decompress, ABombStopsAtTheLimit) {
  const auto out = decompress("gzip", compressed(std::string(kLimit + 1, 'x'), 31), kLimit);
  EXPECT_EQ(out.error().code(), Code::too_large);
}

TEST(Decompress, WhatIsDamagedCutOrFollowedIsRefused) {
  const std::string good = compressed(std::string(100'000, 'x') + "y", 31);
  std::string flipped = good;
  flipped[good.size() - 6] = static_cast<char>(flipped[good.size() - 6] ^ 1);  // of the checksum
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() / 2), good.substr(0, good.size() - 1), flipped,
        good + "more", std::string("plain text")})
    EXPECT_EQ(decompress("gzip", bad, kLimit).error().code(), Code::invalid_argument);
  EXPECT_EQ(decompress("br", good, kLimit).error().reason(), "encoding");
}

}  // namespace
}  // namespace holdfast::inference
