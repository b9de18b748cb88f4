#include "base/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <zlib.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <span>

namespace holdfast {
namespace {

// Fetching an algorithm by name costs a lookup under a lock; once a process is enough.
const EVP_MD* algorithm(HashKind kind) {
  static const EVP_MD* md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  static const EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static const EVP_MD* sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  switch (kind) {
    case HashKind::md5:
      return md5;
    case HashKind::sha256:
      return sha256;
    case HashKind::sha512:
      return sha512;
  }
  return sha256;
}

// HMAC-SHA256, fetched once for each thread: HMAC() fetches it at every call, which costs more than
// it then does.
struct Mac {
  Mac() {
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    evp = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);  // the context holds it
    if (evp == nullptr || EVP_MAC_CTX_set_params(evp, params) != 1) std::abort();
  }
  Mac(const Mac&) = delete;
  Mac& operator=(const Mac&) = delete;
  ~Mac() { EVP_MAC_CTX_free(evp); }
  EVP_MAC_CTX* evp = nullptr;
  std::optional<std::string> key;  // of the last message
};

}  // namespace

struct Hasher::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(evp); }
};

Hasher::Hasher(HashKind kind) : context_(std::make_unique<Context>()) {
  EVP_DigestInit_ex(context_->evp, algorithm(kind), nullptr);
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(ByteView bytes) {
  EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size());
}

std::string Hasher::finish() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(context_->evp, out, &size);
  return std::string(reinterpret_cast<char*>(out), size);
}

std::string hash(HashKind kind, ByteView bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), out, &size, algorithm(kind), nullptr);
  return std::string(reinterpret_cast<char*>(out), size);
}

std::string hmac_sha256(ByteView key, ByteView message) {
  unsigned char out[EVP_MAX_MD_SIZE];
  size_t size = 0;
  thread_local Mac mac;
  // One key signs many messages in a row, and preparing it costs as much as a short message: no key
  // is the one before. So an empty one must not look like none.
  const bool same = mac.key == as_text(key);
  const void* bytes = same ? nullptr : key.empty() ? "" : static_cast<const void*>(key.data());
  if (!same) mac.key = as_text(key);
  if (EVP_MAC_init(mac.evp, static_cast<const unsigned char*>(bytes), same ? 0 : key.size(),
                   nullptr) != 1 ||
      EVP_MAC_update(mac.evp, reinterpret_cast<const unsigned char*>(message.data()),
                     message.size()) != 1 ||
      EVP_MAC_final(mac.evp, out, &size, sizeof out) != 1)
    std::abort();  // a signature of nothing may not be compared with one
  return std::string(reinterpret_cast<char*>(out), size);
}

uint32_t crc32(ByteView bytes, uint32_t start) {
  return static_cast<uint32_t>(
      ::crc32_z(start, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::string random_bytes(size_t count) {
  std::string out(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1)
    std::abort();
  return out;
}

std::string random_uuid() {
  // Every request gets one: a generator of its own for each thread costs a hundredth of the
  // system's.
  thread_local std::mt19937_64 generator = [] {
    const std::string seed = random_bytes(64);
    std::seed_seq words(seed.begin(), seed.end());
    return std::mt19937_64(words);
  }();
  std::array<uint64_t, 2> words = {generator(), generator()};
  auto* const bytes = reinterpret_cast<uint8_t*>(words.data());
  bytes[6] = (bytes[6] & 0x0f) | 0x40;  // version 4
  bytes[8] = (bytes[8] & 0x3f) | 0x80;  // variant of RFC 9562
  std::string out = hex(std::as_bytes(std::span(words)));
  for (const size_t hyphen : {8, 13, 18, 23}) out.insert(hyphen, 1, '-');
  return out;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace holdfast
