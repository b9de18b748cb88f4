// Who may come in at holdfast-serve's doors: its certificate, and the tokens that it takes.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "certificates.h"
#include "config.h"
#include "identity/api_keys.h"
#include "identity/token_verifier.h"
#include "net/http/router.h"

namespace holdfast {

// Any thread may call.
class Access {
 public:
  // Reads what the configuration names. Both must outlive it. not_found, invalid_argument: a file.
  static Result<std::unique_ptr<Access>> open(const ServeConfig& config, const Clock& clock);

  // Null where there is no TLS.
  const Certificates* certificates() const { return certificates_.get(); }
  std::shared_ptr<TlsContext> tls() const { return certificates_ ? certificates_->tls() : nullptr; }

  bool asks() const { return keys_.has_value() || verifier_ != nullptr; }  // for tokens
  // Whose the Authorization header is; "": there is none. unauthenticated; denied: a token without
  // a role that counts here.
  Result<http::Principal> caller(std::string_view authorization) const;
  // For every path but those of health, which Triton and KServe leave open too: those who probe a
  // server have no token. It must not outlive this.
  http::Authenticator authenticator() const;

 private:
  explicit Access(const Clock& clock) : clock_(clock) {}
  Result<identity::Claims> verified(const std::string& token) const;

  const Clock& clock_;
  std::unique_ptr<Certificates> certificates_;
  std::optional<identity::ApiKeys> keys_;
  std::unique_ptr<identity::TokenVerifier> verifier_;
  mutable std::mutex mutex_;
  // Checking a signature takes longer than many a model. By the token's hash.
  mutable std::map<std::string, identity::Claims> known_;
};

}  // namespace holdfast
