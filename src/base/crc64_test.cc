// The check value of the catalogue of CRC algorithms (CRC-64/NVME), and pieces of every length.
#include <gtest/gtest.h>

#include <random>

#include "base/crc64.h"

namespace holdfast {
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

std::string random_text(size_t size) {
  std::mt19937 random(static_cast<unsigned>(size));
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

TEST(Crc64, HasTheCheckValue) {
  EXPECT_EQ(crc_of("123456789"), 0xAE8B14860A799888ull);
  EXPECT_EQ(crc64_text(crc_of("123456789")), "iJh5CoYUi64=");
  EXPECT_EQ(crc_of(""), 0u);
  EXPECT_EQ(crc64_text(0), "AAAAAAAAAAA=");
}

TEST(Crc64, IsTheSameInPiecesOfAnyLength) {
  const std::string bytes = random_text(400);
  const uint64_t whole = plain_crc(bytes);
  EXPECT_EQ(crc_of(bytes), whole);
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    Crc64 crc;
    for (size_t at = 0; at < bytes.size(); at += piece)
      crc.update(as_bytes(std::string_view(bytes).substr(at, piece)));
    EXPECT_EQ(crc.value(), whole) << piece;
  }
}

// Around the widths of the folding steps, and at every alignment.
TEST(Crc64, IsWhatTheTablesSay) {
  const std::string bytes = random_text(70'000);
  for (size_t size = 0; size < 1100; ++size) {
    for (size_t from = 0; from < 16; ++from) {
      const ByteView part = as_bytes(std::string_view(bytes).substr(from, size));
      ASSERT_EQ(Crc64::of(part), Crc64::by_table(part)) << size << " from " << from;
    }
  }
  for (size_t size : {4096u, 65'535u, 65'536u, 65'537u}) {
    const ByteView part = as_bytes(std::string_view(bytes).substr(3, size));
    EXPECT_EQ(Crc64::of(part), Crc64::by_table(part));
  }
  EXPECT_EQ(Crc64::by_table(as_bytes(std::string_view(bytes).substr(0, 400))),
            plain_crc(std::string_view(bytes).substr(0, 400)));
}

}  // namespace
}  // namespace holdfast
