// Who asks, and whether that one may: the account's key, a signature (SAS), a bearer token, or
// nobody where a container is public.
#pragma once

#include "blob/http/operations.h"
#include "identity/accounts.h"
#include "identity/sas.h"
#include "identity/tokens.h"

namespace holdfast::blob {

// Of whom tokens are taken. Null: of nobody.
struct TokenParts {
  const identity::TokenIssuer* issuer = nullptr;
  identity::Applications* applications = nullptr;
  identity::DelegationKeys* delegation = nullptr;
  // Where clients get them, "https://hub.example.com:8443"; "": nowhere that could be told.
  std::string authority;
};

// Any thread may call. All parts must outlive it.
class Credentials {
 public:
  Credentials(Blobs& blobs, const identity::Accounts& accounts, const Clock& clock,
              TokenParts tokens, bool development, std::string outside)
      : blobs_(blobs),
        accounts_(accounts),
        clock_(clock),
        tokens_(std::move(tokens)),
        development_(development),
        outside_(std::move(outside)) {}

  // Fills in what the credential says about the call. unauthenticated "missing_authorization",
  // "invalid_token"; denied, with the reasons of verify_shared_key() and verify_sas(), without
  // what was signed where it is not development.
  Task<Result<void>> authorize(Call& call, const Operation& operation) const;
  // The same at once; nullopt: it depends on what is stored.
  std::optional<Result<void>> authorize_now(Call& call, const Operation& operation) const;
  // Whether who makes `call` may read the blob that `source` addresses: with what opened the call,
  // or else with what stands in the source's own query.
  Task<Result<void>> may_read_source(const Call& call, Call& source) const;
  // What a 401 says of where tokens are got ("WWW-Authenticate").
  std::string challenge() const;

 private:
  // What was signed tells of the request as it came here, which only a developer is to know.
  Error told(Error error) const;
  Task<Result<bool>> open_to_anyone(const Call& call, const Operation& operation) const;
  Task<Result<std::optional<identity::StoredPolicy>>> stored_policy(const Call& call) const;
  // The account's key, or a token.
  Result<void> by_header(Call& call, const Operation& operation,
                         const identity::StorageAccount& account) const;
  Result<identity::BlobCaller> caller_of(const http::Request& request) const;
  Task<Result<void>> remember(const http::Request& request) const;
  Result<void> by_token(Call& call, const Operation& operation) const;
  Result<std::shared_ptr<const identity::StorageAccount>> account_of(const Call& call) const;
  Result<void> by_sas(Call& call, const Operation& operation,
                      const identity::StorageAccount& account,
                      std::optional<identity::StoredPolicy> policy) const;

  Blobs& blobs_;
  const identity::Accounts& accounts_;
  const Clock& clock_;
  const TokenParts tokens_;
  const bool development_;
  const std::string outside_;  // the path of the endpoint, which clients sign
};

}  // namespace holdfast::blob
