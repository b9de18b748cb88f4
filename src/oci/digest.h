// Content digests as OCI writes them: "sha256:<64 hex>" or "sha512:<128 hex>", lower case. Plain
// values, any thread. Source: OCI image-spec 1.1, descriptor.md, "Digests".
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/digest.h"

namespace holdfast::oci {

// Well formed, or empty when default made: there is no way to hold another text.
class Digest {
 public:
  Digest() = default;
  // invalid_argument "digest_invalid", also for an algorithm that is not registered.
  static Result<Digest> parse(std::string_view text);
  static Digest sha256(ByteView bytes);

  const std::string& str() const { return text_; }
  HashKind kind() const;
  std::string_view hex() const;  // without the algorithm
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Digest&) const = default;

 private:
  friend class DigestHasher;
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// An incremental digest; movable, one thread at a time. finish() spends it.
class DigestHasher {
 public:
  explicit DigestHasher(HashKind kind = HashKind::sha256) : kind_(kind), hasher_(kind) {}
  void update(ByteView bytes) { hasher_.update(bytes); }
  Digest finish();

 private:
  HashKind kind_;
  Hasher hasher_;
};

}  // namespace holdfast::oci
