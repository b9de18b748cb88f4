#include "access.h"

#include <algorithm>
#include <array>

#include "base/digest.h"

namespace holdfast {
namespace {

constexpr std::array<std::string_view, 4> kOpen = {"/", "/healthz", "/v2/health/live",
                                                   "/v2/health/ready"};
constexpr size_t kKnown = 256;

}  // namespace

Result<std::unique_ptr<Access>> Access::open(const ServeConfig& config, const Clock& clock) {
  std::unique_ptr<Access> made(new Access(clock));
  if (config.tls) {
    auto opened = Certificates::open(config, clock);
    if (!opened) return std::unexpected(std::move(opened).error().with_context("tls"));
    made->certificates_ = std::move(*opened);
  }
  if (!config.token_keys.empty()) {
    TRY(made->keys_, identity::ApiKeys::read(config.token_keys));
  }
  if (!config.token_issuer_key.empty()) {
    TRY(made->verifier_,
        identity::TokenVerifier::open(config.token_issuer_key, config.token_issuer, clock));
  }
  return made;
}

Result<identity::Claims> Access::verified(const std::string& token) const {
  const std::string digest = hash(HashKind::sha256, as_bytes(token));
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(digest);
    if (found != known_.end() && clock_.now() < found->second.expires) return found->second;
  }
  TRY(identity::Claims claims, verifier_->verify(token));
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kKnown) known_.clear();
  known_.insert_or_assign(digest, claims);
  return claims;
}

Result<http::Principal> Access::caller(std::string_view authorization) const {
  if (authorization.empty())
    return fail(Code::unauthenticated, "this needs a bearer token in the Authorization header");
  TRY(const std::string credential, identity::credential_of(authorization));
  if (keys_) {
    if (auto who = keys_->find(credential)) return *std::move(who);
  }
  if (!verifier_) return fail(Code::unauthenticated, "the token is not one of this server's keys");
  TRY(const identity::Claims claims, verified(credential));
  // Tokens of one service alone, as those for storage, have other roles.
  if (claims.role != "reader" && claims.role != "operator" && claims.role != "admin")
    return fail(Code::denied, "'" + claims.subject + "' has no role for inference");
  return http::Principal{claims.subject, claims.role};
}

http::Authenticator Access::authenticator() const {
  if (!asks()) return {};
  return [this](const http::Request& request) -> Result<http::Principal> {
    if (std::ranges::find(kOpen, request.path) != kOpen.end()) return http::Principal();
    return caller(request.headers.get_or("Authorization", ""));
  };
}

}  // namespace holdfast
