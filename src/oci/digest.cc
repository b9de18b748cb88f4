#include "oci/digest.h"

#include <algorithm>

namespace holdfast::oci {
namespace {

constexpr std::string_view kSha256 = "sha256:", kSha512 = "sha512:";

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  const bool is_256 = text.starts_with(kSha256) && text.size() == kSha256.size() + 64;
  const bool is_512 = text.starts_with(kSha512) && text.size() == kSha512.size() + 128;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if ((!is_256 && !is_512) || !std::ranges::all_of(text.substr(kSha256.size()), is_hex))
    return fail(Code::invalid_argument, "digest_invalid",
                "'" + std::string(text.substr(0, 150)) +
                    "' is not a digest; sha256: with 64 or sha512: with 128 lower-case hexadecimal "
                    "digits is");
  return Digest(std::string(text));
}

Digest Digest::sha256(ByteView bytes) {
  return Digest(std::string(kSha256) + sha256_hex(bytes));
}

HashKind Digest::kind() const {
  return text_.starts_with(kSha512) ? HashKind::sha512 : HashKind::sha256;
}

std::string_view Digest::hex() const {
  return std::string_view(text_).substr(std::min(text_.size(), kSha256.size()));
}

Digest DigestHasher::finish() {
  const std::string raw = hasher_.finish();
  return Digest(std::string(kind_ == HashKind::sha512 ? kSha512 : kSha256) + hex(as_bytes(raw)));
}

}  // namespace holdfast::oci
