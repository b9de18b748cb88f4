// The 512-byte block of a tar header. For tar_writer.cc and tar_reader.cc alone.
#pragma once

#include <array>
#include <cstdint>

namespace holdfast::oci {

inline constexpr size_t kBlock = 512;
using Block = std::array<char, kBlock>;

struct Field {
  size_t offset, size;
};
inline constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12},
    kTime{136, 12}, kSum{148, 8}, kType{156, 1}, kLink{157, 100}, kMagic{257, 8}, kPrefix{345, 155};

// The sum of all bytes, its own field counted as spaces.
inline uint64_t checksum(const Block& block) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const bool own = i >= kSum.offset && i < kSum.offset + kSum.size;
    sum += own ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

}  // namespace holdfast::oci
