// User delegation keys: with one of them, who holds a token makes signatures (SAS) that are no
// wider than the token's own role. They are derived, not kept. Source: "Get User Delegation Key".
#pragma once

#include "identity/applications.h"
#include "identity/sas.h"

namespace holdfast::identity {

struct DelegationKey {
  std::string oid, tid;       // for whom: the caller's id, the tenant
  std::string start, expiry;  // as signed
  std::string service = "b", version;
  std::string delegated_tid;  // "": its signatures are for whoever has them
};

// Any thread may call. What was returned as done is on disk.
class DelegationKeys {
 public:
  // Loads all; migrates the component "delegation_keys". All must outlive it.
  static Result<std::unique_ptr<DelegationKeys>> open(store::Database& database,
                                                      const Applications& applications,
                                                      std::string tenant, const Clock& clock);

  // The raw value of a key that is given out; it is the same whenever it is asked for.
  Task<Result<std::string>> make(std::string account, DelegationKey key);
  // All keys of the account that were given out open nothing from now on.
  Task<Result<void>> revoke(std::string account);
  // What the signature's fields name: the key's value, and what its holder may. denied
  // "authentication_failed": another tenant, nobody's or a revoked id, out of its time;
  // "sas_permission": it does not reach the account.
  Result<Delegated> find(std::string_view account, const http::Request& request) const;
  const std::string& tenant() const { return tenant_; }

 private:
  DelegationKeys(store::Database& database, const Applications& applications, std::string tenant,
                 const Clock& clock)
      : database_(database),
        applications_(applications),
        tenant_(std::move(tenant)),
        clock_(clock) {}
  std::string secret_of(std::string_view account) const;  // "": none yet
  Task<Result<void>> keep(std::string account, std::string secret, bool replace);

  store::Database& database_;
  const Applications& applications_;
  const std::string tenant_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> secrets_;
};

}  // namespace holdfast::identity
