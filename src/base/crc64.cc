#include "base/crc64.h"

#include <array>
#include <cstring>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace holdfast {
namespace {

constexpr uint64_t kPolynomial = 0x9A6C9329AC4BC9B5ull;  // reflected

using Table = std::array<std::array<uint64_t, 256>, 8>;

constexpr uint64_t times_x(uint64_t value) {
  return (value & 1) != 0 ? (value >> 1) ^ kPolynomial : value >> 1;
}

// Slicing by eight: table k advances a byte by k further bytes.
constexpr Table make_tables() {
  Table tables{};
  for (uint64_t i = 0; i < 256; ++i) {
    uint64_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = times_x(crc);
    tables[0][i] = crc;
  }
  for (size_t i = 0; i < 256; ++i) {
    for (size_t k = 1; k < 8; ++k)
      tables[k][i] = tables[0][tables[k - 1][i] & 0xff] ^ (tables[k - 1][i] >> 8);
  }
  return tables;
}

constexpr Table kTables = make_tables();

uint64_t table_update(uint64_t crc, ByteView bytes) {
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
  return crc;
}

#ifdef __x86_64__
// x^n modulo the polynomial; bit 63 is x^0.
constexpr uint64_t power_of_x(int n) {
  uint64_t value = 1ull << 63;
  for (int i = 0; i < n; ++i) value = times_x(value);
  return value;
}

constexpr size_t kStep = 64;  // four lanes of 16 bytes

__attribute__((target("pclmul,sse4.1"))) inline __m128i load(const std::byte* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

// What `lane` says, carried over the distance of `keys`, with the bytes that lie there. A product
// of reflected factors is one bit short, hence the odd exponents of the keys.
__attribute__((target("pclmul,sse4.1"))) inline __m128i fold(__m128i lane, __m128i keys,
                                                             __m128i bytes) {
  const __m128i low = _mm_clmulepi64_si128(lane, keys, 0x00);
  const __m128i high = _mm_clmulepi64_si128(lane, keys, 0x11);
  return _mm_xor_si128(bytes, _mm_xor_si128(low, high));
}

// `bytes` has at least kStep.
__attribute__((target("pclmul,sse4.1"))) uint64_t folded_update(uint64_t crc, ByteView bytes) {
  constexpr uint64_t kFar[2] = {power_of_x(512 + 63), power_of_x(512 - 1)};
  constexpr uint64_t kNear[2] = {power_of_x(128 + 63), power_of_x(128 - 1)};
  const __m128i far = _mm_set_epi64x(static_cast<int64_t>(kFar[1]), static_cast<int64_t>(kFar[0]));
  const __m128i near =
      _mm_set_epi64x(static_cast<int64_t>(kNear[1]), static_cast<int64_t>(kNear[0]));
  const std::byte* at = bytes.data();
  __m128i a = load(at), b = load(at + 16), c = load(at + 32), d = load(at + 48);
  a = _mm_xor_si128(a, _mm_cvtsi64_si128(static_cast<int64_t>(crc)));
  size_t left = bytes.size() - kStep;
  for (at += kStep; left >= kStep; at += kStep, left -= kStep) {
    a = fold(a, far, load(at));
    b = fold(b, far, load(at + 16));
    c = fold(c, far, load(at + 32));
    d = fold(d, far, load(at + 48));
  }
  __m128i all = fold(fold(fold(a, near, b), near, c), near, d);
  for (; left >= 16; at += 16, left -= 16) all = fold(all, near, load(at));
  // The lane is a message of 16 bytes with the same remainder.
  std::byte rest[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), all);
  return table_update(table_update(0, rest), ByteView(at, left));
}

constexpr size_t kMiddleStep = 128;  // four registers of 32 bytes
// Asked for ahead of the fold: by itself the processor looks no further than the page, and waits at
// each for memory. What lies behind the bytes is most often the next to be summed, and never read.
constexpr size_t kAhead = 4096;

__attribute__((target("avx2,vpclmulqdq"))) inline __m256i load_middle(const std::byte* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

__attribute__((target("avx2,vpclmulqdq"))) inline __m256i fold_middle(__m256i lanes, __m256i keys,
                                                                      __m256i bytes) {
  const __m256i low = _mm256_clmulepi64_epi128(lanes, keys, 0x00);
  const __m256i high = _mm256_clmulepi64_epi128(lanes, keys, 0x11);
  return _mm256_xor_si256(bytes, _mm256_xor_si256(low, high));
}

// As folded_update(), eight lanes at a time. `bytes` has at least kMiddleStep.
__attribute__((target("avx2,vpclmulqdq"))) uint64_t middle_update(uint64_t crc, ByteView bytes) {
  constexpr uint64_t kFar[2] = {power_of_x(1024 + 63), power_of_x(1024 - 1)};
  const __m256i far = _mm256_broadcastsi128_si256(
      _mm_set_epi64x(static_cast<int64_t>(kFar[1]), static_cast<int64_t>(kFar[0])));
  const std::byte* at = bytes.data();
  __m256i a = load_middle(at), b = load_middle(at + 32), c = load_middle(at + 64),
          d = load_middle(at + 96);
  a = _mm256_xor_si256(a, _mm256_zextsi128_si256(_mm_cvtsi64_si128(static_cast<int64_t>(crc))));
  size_t left = bytes.size() - kMiddleStep;
  for (at += kMiddleStep; left >= kMiddleStep; at += kMiddleStep, left -= kMiddleStep) {
    _mm_prefetch(reinterpret_cast<const char*>(at) + kAhead, _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(at) + kAhead + 64, _MM_HINT_T0);
    a = fold_middle(a, far, load_middle(at));
    b = fold_middle(b, far, load_middle(at + 32));
    c = fold_middle(c, far, load_middle(at + 64));
    d = fold_middle(d, far, load_middle(at + 96));
  }
  std::byte rest[kMiddleStep];  // a message with the same remainder
  auto* const out = reinterpret_cast<__m256i*>(rest);
  _mm256_storeu_si256(out, a);
  _mm256_storeu_si256(out + 1, b);
  _mm256_storeu_si256(out + 2, c);
  _mm256_storeu_si256(out + 3, d);
  crc = folded_update(0, rest);
  const ByteView tail(at, left);
  return left >= kStep ? folded_update(crc, tail) : table_update(crc, tail);
}

constexpr size_t kWideStep = 256;  // four registers of 64 bytes

__attribute__((target("avx512f,vpclmulqdq"))) inline __m512i load_wide(const std::byte* from) {
  return _mm512_loadu_si512(from);
}

__attribute__((target("avx512f,vpclmulqdq"))) inline __m512i fold_wide(__m512i lanes, __m512i keys,
                                                                       __m512i bytes) {
  const __m512i low = _mm512_clmulepi64_epi128(lanes, keys, 0x00);
  const __m512i high = _mm512_clmulepi64_epi128(lanes, keys, 0x11);
  return _mm512_xor_si512(bytes, _mm512_xor_si512(low, high));
}

// As folded_update(), sixteen lanes at a time. `bytes` has at least kWideStep.
__attribute__((target("avx512f,vpclmulqdq"))) uint64_t wide_update(uint64_t crc, ByteView bytes) {
  constexpr uint64_t kFar[2] = {power_of_x(2048 + 63), power_of_x(2048 - 1)};
  const __m512i far = _mm512_broadcast_i32x4(
      _mm_set_epi64x(static_cast<int64_t>(kFar[1]), static_cast<int64_t>(kFar[0])));
  const std::byte* at = bytes.data();
  __m512i a = load_wide(at), b = load_wide(at + 64), c = load_wide(at + 128),
          d = load_wide(at + 192);
  a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi64_si128(static_cast<int64_t>(crc))));
  size_t left = bytes.size() - kWideStep;
  for (at += kWideStep; left >= kWideStep; at += kWideStep, left -= kWideStep) {
    a = fold_wide(a, far, load_wide(at));
    b = fold_wide(b, far, load_wide(at + 64));
    c = fold_wide(c, far, load_wide(at + 128));
    d = fold_wide(d, far, load_wide(at + 192));
  }
  std::byte rest[kWideStep];  // a message with the same remainder
  _mm512_storeu_si512(rest, a);
  _mm512_storeu_si512(rest + 64, b);
  _mm512_storeu_si512(rest + 128, c);
  _mm512_storeu_si512(rest + 192, d);
  crc = folded_update(0, rest);
  const ByteView tail(at, left);
  return left >= kStep ? folded_update(crc, tail) : table_update(crc, tail);
}

bool can_fold() {
  static const bool can =
      __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("sse4.1") != 0;
  return can;
}

bool can_fold_middle() {
  static const bool can = can_fold() && __builtin_cpu_supports("avx2") != 0 &&
                          __builtin_cpu_supports("vpclmulqdq") != 0;
  return can;
}

bool can_fold_wide() {
  static const bool can = can_fold() && __builtin_cpu_supports("avx512f") != 0 &&
                          __builtin_cpu_supports("vpclmulqdq") != 0;
  return can;
}
#endif

}  // namespace

void Crc64::update(ByteView bytes) {
#ifdef __x86_64__
  if (bytes.size() >= 2 * kWideStep && can_fold_wide()) {
    state_ = wide_update(state_, bytes);
    return;
  }
  if (bytes.size() >= 2 * kMiddleStep && can_fold_middle()) {
    state_ = middle_update(state_, bytes);
    return;
  }
  if (bytes.size() >= kStep && can_fold()) {
    state_ = folded_update(state_, bytes);
    return;
  }
#endif
  state_ = table_update(state_, bytes);
}

uint64_t Crc64::by_table(ByteView bytes) {
  return ~table_update(~0ull, bytes);
}

std::string crc64_text(uint64_t crc) {
  std::byte raw[8];
  std::memcpy(raw, &crc, 8);
  return base64(raw);
}

}  // namespace holdfast
