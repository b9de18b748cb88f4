// Shared access signatures: service SAS (one blob or container) and account SAS. Pure functions,
// any thread. Source: "Create a service SAS" and "Create an account SAS", Azure Storage REST, by
// signed version (sv).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "identity/shared_key.h"

namespace holdfast::identity {

// A stored access policy: what the signature that names it leaves out. "": left to the signature.
struct StoredPolicy {
  StoredPolicy(std::string permissions_, std::string start_, std::string expiry_)
      : permissions(std::move(permissions_)),
        start(std::move(start_)),
        expiry(std::move(expiry_)) {}
  std::string permissions, start, expiry;
};

// The user delegation key that a signature is made with: its raw value, and what its holder may.
struct Delegated {
  std::string key, permissions;
};

// What a request wants, for the checks of a SAS.
struct Wanted {
  char permission = 0;      // r a c w d l t … ; 0: any will do
  std::string alternative;  // further letters of which one is enough ("c" beside 'w' for creating)
  char resource = 'o';      // s service, c container, o blob
  std::string container, blob;
  bool key_only = false;               // no signature permits it
  std::optional<Delegated> delegated;  // the key that the request names in skoid and its like
  std::optional<StoredPolicy> policy;  // the one that the request names in si
};

struct SasGrant {
  std::string permissions;
  // rscc, rscd, rsce, rscl, rsct as response headers.
  std::vector<std::pair<std::string, std::string>> overrides;
};

bool has_sas(const http::Request& request);

// denied with reason authentication_failed, kSignatureMismatch, sas_permission, sas_service,
// sas_resource, sas_protocol, sas_ip; invalid_argument sas_query on a missing or malformed field.
Result<SasGrant> verify_sas(const http::Request& request, std::string_view account,
                            const KeyPair& keys, const Wanted& wanted, const Clock& clock);

struct SasRequest {
  std::string permissions;  // "rl"
  WallTime expiry;
  std::optional<WallTime> start;
  std::string ip, protocol;            // "", "https" or "https,http"
  std::string container, blob;         // both empty: account SAS
  std::string resource_types = "sco";  // account SAS
};
// The query string, without '?'.
std::string make_sas(std::string_view account, std::string_view key, const SasRequest& request);

}  // namespace holdfast::identity
