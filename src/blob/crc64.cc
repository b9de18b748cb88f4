#include "blob/crc64.h"

#include <array>
#include <cstring>

namespace holdfast::blob {
namespace {

using Table = std::array<std::array<uint64_t, 256>, 8>;

// Slicing by eight: table k advances a byte by k further bytes.
constexpr Table make_tables() {
  Table tables{};
  for (uint64_t i = 0; i < 256; ++i) {
    uint64_t crc = i;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x9A6C9329AC4BC9B5ull : crc >> 1;
    tables[0][i] = crc;
  }
  for (size_t i = 0; i < 256; ++i) {
    for (size_t k = 1; k < 8; ++k)
      tables[k][i] = tables[0][tables[k - 1][i] & 0xff] ^ (tables[k - 1][i] >> 8);
  }
  return tables;
}

constexpr Table kTables = make_tables();

}  // namespace

void Crc64::update(ByteView bytes) {
  uint64_t crc = state_;
  while (bytes.size() >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    word ^= crc;
    crc = 0;
    for (size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][(word >> (8 * k)) & 0xff];
    bytes = bytes.subspan(8);
  }
  for (std::byte byte : bytes)
    crc = kTables[0][(crc ^ std::to_integer<uint64_t>(byte)) & 0xff] ^ (crc >> 8);
  state_ = crc;
}

std::string crc64_text(uint64_t crc) {
  std::byte raw[8];
  std::memcpy(raw, &crc, 8);
  return base64(raw);
}

}  // namespace holdfast::blob
