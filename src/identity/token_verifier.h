// Checks the tokens of one issuer (tokens.h), whose public key is enough for it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace holdfast::identity {

struct Claims {
  std::string subject;
  std::string role;  // reader, operator, admin; or of one service alone, as its header says
  WallTime expires;
};

// What follows "Bearer", or the password of "Basic" (RFC 7617; clients of image registries know no
// other way). unauthenticated: neither.
Result<std::string> credential_of(std::string_view authorization);

// Any thread may call.
class TokenVerifier {
 public:
  // `key_file`: the public key in PEM, as `openssl pkey -in issuer.key -pubout` writes it. `clock`
  // must outlive it. not_found; invalid_argument: no P-256 key.
  static Result<std::unique_ptr<TokenVerifier>> open(const std::string& key_file,
                                                     std::string issuer, const Clock& clock);
  // Owns `key`, an EVP_PKEY.
  TokenVerifier(void* key, std::string issuer, const Clock& clock);
  ~TokenVerifier();
  TokenVerifier(const TokenVerifier&) = delete;
  TokenVerifier& operator=(const TokenVerifier&) = delete;

  // unauthenticated: malformed, another algorithm, wrong signature, expired, not for us.
  Result<Claims> verify(std::string_view token) const;

 private:
  void* key_;
  std::string issuer_;
  const Clock& clock_;
};

}  // namespace holdfast::identity
