// The one issuer of tokens: JWT signed with ES256 (RFC 7518), its key in a file that only the owner
// reads.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "identity/token_verifier.h"
#include "net/http/router.h"

namespace holdfast::identity {

// Any thread may call.
class TokenIssuer {
 public:
  // Makes the key file (PEM, mode 0600) where it is not there. `clock` must outlive it.
  static Result<std::unique_ptr<TokenIssuer>> open(const std::string& key_file, std::string issuer,
                                                   const Clock& clock);
  ~TokenIssuer();

  std::string issue(const Claims& claims) const;
  // A UUID that goes with the key: what clients of OAuth call the tenant.
  const std::string& tenant() const { return tenant_; }
  // As TokenVerifier's.
  Result<Claims> verify(std::string_view token) const;
  // "Authorization: Bearer TOKEN", or Basic with any user and the token as the password (RFC 7617;
  // clients of image registries know no other way) → who asks. The issuer must outlive it.
  http::Authenticator authenticator() const;

 private:
  TokenIssuer(void* key, std::string issuer, const Clock& clock);
  void* key_;  // EVP_PKEY
  std::string issuer_, tenant_;
  const Clock& clock_;
  std::unique_ptr<TokenVerifier> verifier_;
};

}  // namespace holdfast::identity
