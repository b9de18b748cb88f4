// The check value of the catalogue of CRC algorithms (CRC-64/NVME), and pieces of every length.
#include <gtest/gtest.h>

#include "blob/crc64.h"
#include "store/objects/testing.h"

namespace holdfast::blob {
namespace {

uint64_t crc_of(std::string_view text) {
  return Crc64::of(as_bytes(text));
}

// A bit at a time, as the definition has it.
uint64_t plain_crc(std::string_view text) {
  uint64_t crc = ~0ull;
  for (char c : text) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x9A6C9329AC4BC9B5ull : crc >> 1;
  }
  return ~crc;
}

TEST(Crc64, HasTheCheckValue) {
  EXPECT_EQ(crc_of("123456789"), 0xAE8B14860A799888ull);
  EXPECT_EQ(crc64_text(crc_of("123456789")), "iJh5CoYUi64=");
  EXPECT_EQ(crc_of(""), 0u);
  EXPECT_EQ(crc64_text(0), "AAAAAAAAAAA=");
}

TEST(Crc64, IsTheSameInPiecesOfAnyLength) {
  const std::string bytes = store::text(100, 'a');
  const uint64_t whole = plain_crc(bytes);
  EXPECT_EQ(crc_of(bytes), whole);
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    Crc64 crc;
    for (size_t at = 0; at < bytes.size(); at += piece)
      crc.update(as_bytes(std::string_view(bytes).substr(at, piece)));
    EXPECT_EQ(crc.value(), whole) << piece;
  }
}

}  // namespace
}  // namespace holdfast::blob
