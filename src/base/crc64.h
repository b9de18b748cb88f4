// CRC-64/NVME, which Azure Storage and S3 send as x-ms-content-crc64 and crc64nvme, and which
// guards the contents on our own disk. Polynomial 0xAD93D23594C93659, reflected, all ones in and
// out; check("123456789") = 0xAE8B14860A799888. By carry-less multiplication where the processor
// has it.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace holdfast {

class Crc64 {
 public:
  void update(ByteView bytes);
  uint64_t value() const { return ~state_; }
  static uint64_t of(ByteView bytes) {
    Crc64 crc;
    crc.update(bytes);
    return crc.value();
  }
  // As of(), never by the processor's own instructions: what the tests compare with.
  static uint64_t by_table(ByteView bytes);

 private:
  uint64_t state_ = ~0ull;
};

// base64 of the eight bytes, least significant first, as the header has it.
std::string crc64_text(uint64_t crc);

}  // namespace holdfast
