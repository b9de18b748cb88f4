// Who may ask for blobs with a token: applications, each with a secret and a role, and the subjects
// of the hub's own tokens. Kept in memory as well, so that checking a request reads no database.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "identity/tokens.h"
#include "store/database/database.h"

namespace holdfast::identity {

inline constexpr std::string_view kBlobReader = "Storage Blob Data Reader";
inline constexpr std::string_view kBlobContributor = "Storage Blob Data Contributor";
inline constexpr std::string_view kBlobOwner = "Storage Blob Data Owner";

// What a role may do with blobs, in the letters of a SAS: of Azure's three roles, and of the hub's
// (reader, operator, admin), which are the same three. nullopt: nothing.
std::optional<std::string_view> blob_permissions(std::string_view role);

struct Application {
  std::string id, name, role;
  std::string account;  // "": every one
  std::string secret;   // its SHA-256 in hex; "": a subject of the hub's own tokens
  WallTime created;
  bool revoked = false;
};

// Someone who was established, and what is theirs.
struct BlobCaller {
  std::string id;           // a UUID
  std::string permissions;  // as blob_permissions()
  std::string account;      // "": every one
  bool reaches(std::string_view name) const { return account.empty() || account == name; }
};

// Any thread may call. What was returned as done is on disk.
class Applications {
 public:
  // Loads all; migrates the component "applications". `database` and `clock` must outlive it.
  static Result<std::unique_ptr<Applications>> open(store::Database& database, const Clock& clock);

  struct Made {
    Application application;
    std::string secret;  // told once
  };
  // invalid_argument on a name that is empty or over 100 bytes, another role than Azure's three, or
  // what is no name of an account.
  Task<Result<Made>> create(std::string name, std::string role, std::string account);
  // From now on nothing is for it. not_found.
  Task<Result<void>> revoke(std::string id);
  std::vector<Application> list() const;  // those that are not revoked, by id

  // unauthenticated: there is none, another secret, revoked.
  Result<Application> authenticate(std::string_view id, std::string_view secret) const;
  // Who holds the token. unauthenticated: revoked; denied "role": the role opens no blobs.
  Result<BlobCaller> caller(const Claims& claims) const;
  // The same by id alone. unauthenticated: there is none, or it was revoked.
  Result<BlobCaller> caller(std::string_view id) const;
  // Keeps the subject of a token of the hub, so that its id is known without the token.
  Task<Result<void>> remember(Claims claims);

 private:
  Applications(store::Database& database, const Clock& clock)
      : database_(database), clock_(clock) {}
  std::shared_ptr<const Application> find(std::string_view id) const;  // null: none
  Task<Result<void>> keep(Application application);

  store::Database& database_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Application>, std::less<>> by_id_;
};

}  // namespace holdfast::identity
