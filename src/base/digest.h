// Hashes and message authentication (OpenSSL), random bytes, constant-time comparison. Any thread.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace holdfast {

enum class HashKind { md5, sha256, sha512 };

// An incremental hash. Movable; use by one thread at a time.
class Hasher {
 public:
  explicit Hasher(HashKind kind);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();
  void update(ByteView bytes);
  std::string finish();  // raw bytes: 16, 32 or 64; the hasher is then spent

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string hash(HashKind kind, ByteView bytes);  // raw bytes
inline std::string sha256_hex(ByteView bytes) {
  return hex(as_bytes(hash(HashKind::sha256, bytes)));
}
std::string hmac_sha256(ByteView key, ByteView message);  // raw 32 bytes

// CRC-32C is not in zlib; this is zlib's CRC-32 (ISO-HDLC), for records on our own disk.
uint32_t crc32(ByteView bytes, uint32_t start = 0);

std::string random_bytes(size_t count);  // from the system's generator; aborts where there is none
// Version 4, lower case; unique, not secret.
std::string random_uuid();
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace holdfast
