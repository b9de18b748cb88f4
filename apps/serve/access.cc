#include "access.h"

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/files.h"
#include "identity/authority.h"
#include "net/http/address.h"

namespace holdfast {
namespace {

constexpr std::array<std::string_view, 4> kOpen = {"/", "/healthz", "/v2/health/live",
                                                   "/v2/health/ready"};
constexpr size_t kKnown = 256;

Result<std::string> pem_file(const char* key, const std::string& path) {
  auto text = read_file(path, 1 << 20);
  if (!text) return std::unexpected(std::move(text).error().with_context(key));
  return text;
}

}  // namespace

Result<void> Access::open_tls(const ServeConfig& config) {
  if (!config.tls) return {};
  if (!config.tls->client_ca.empty()) {
    TRY(client_ca_pem_, pem_file("tls.client-ca", config.tls->client_ca));
  }
  if (!config.tls->certificate.empty()) {
    TRY(certificate_pem_, pem_file("tls.certificate", config.tls->certificate));
    TRY(key_pem_, pem_file("tls.key", config.tls->key));
  } else {
    TRY_VOID(make_directories(config.data + "/pki", 0700));
    TRY(const auto authority,
        identity::Authority::open(config.data + "/pki", "holdfast-serve local CA", clock_));
    identity::Subject subject;
    subject.common_name = "holdfast-serve";
    for (const char* name : {"localhost", "127.0.0.1", "::1"}) subject.add(name);
    for (const std::string& door : {config.http, config.grpc}) {
      if (door.empty()) continue;
      TRY(const auto at, http::parse_host_port(door));
      subject.add(at.host);
    }
    for (const std::string& name : config.tls->names) subject.add(name);
    TRY(identity::Issued issued, authority->kept("serve", subject));
    certificate_pem_ = std::move(issued.chain_pem);
    key_pem_ = std::move(issued.key_pem);
  }
  TRY(tls_, TlsContext::server(certificate_pem_, key_pem_, client_ca_pem_));
  return {};
}

Result<std::unique_ptr<Access>> Access::open(const ServeConfig& config, const Clock& clock) {
  std::unique_ptr<Access> made(new Access(clock));
  if (auto opened = made->open_tls(config); !opened)
    return std::unexpected(std::move(opened).error().with_context("tls"));
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
