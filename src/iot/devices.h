// The registry: who the devices and modules are. Kept in memory as well, so that a connect reads no
// database. Reasons of its errors: device_not_found, module_not_found, device_exists,
// module_exists, etag.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "iot/types.h"
#include "store/database/database.h"

namespace holdfast::iot {

// What a committed write did to the registry. Commits may be told in another order than they were
// made in; the revision, given inside the transaction, is the order that counts.
struct RegistryChanges {
  uint64_t revision = 0;  // of the registry; 0: nothing was changed
  std::vector<Identity> written;
  std::vector<Address> removed;
};

// Any thread may call. What was returned as done is on disk.
class Devices {
 public:
  // Loads all; migrates the component "iot". Makes the policy "iothubowner" where it is missing.
  // `database` and `clock` must outlive it.
  static Result<std::unique_ptr<Devices>> open(store::Database& database, const Clock& clock);

  // Makes the identity and its twin; an edge device gets $edgeAgent and $edgeHub. invalid_argument,
  // conflict, not_found (the module's device).
  Task<Result<Identity>> create(Address address, IdentityWishes wishes);
  // precondition_failed (etag), not_found, invalid_argument.
  Task<Result<Identity>> update(Address address, IdentityWishes wishes, IfMatch condition);
  // A device goes with its modules and twins.
  Task<Result<void>> remove(Address address, IfMatch condition);
  // Makes the modules of `wanted` that are missing and removes those managed by the edge that are
  // not in it. Inside a transaction, which stands between begin() and settle().
  Result<RegistryChanges> level_modules(store::Tx& tx, const std::string& device,
                                        const std::vector<std::string>& wanted) const;
  // Around each write that may change the registry: before it, and with its changes when they are
  // durable (none where it failed). Memory takes of them what is newer than what it has.
  void begin();
  void settle(const RegistryChanges& changes);

  Result<std::shared_ptr<const Identity>> find(const Address& address) const;  // not_found
  // Devices after `after` by id, at most `limit`.
  std::vector<std::shared_ptr<const Identity>> list(size_t limit,
                                                    std::string_view after = "") const;
  Result<std::vector<std::shared_ptr<const Identity>>> modules(const std::string& device) const;
  size_t size() const;  // devices

  // Where the identity may connect: it and its device exist and are enabled. not_found, denied.
  Result<std::shared_ptr<const Identity>> admit(const Address& address) const;

  Presence presence(const Address& address) const;
  // In memory; flush() writes what changed since.
  void seen(const Address& address, std::optional<bool> connected = {});
  Task<Result<void>> flush();

  // A service policy's keys (base64). not_found.
  Result<std::array<std::string, 2>> policy(std::string_view name) const;

  // Called after an identity was changed or removed, on the changing thread. Set before use.
  void on_change(std::function<void(const Address&)> call) { on_change_ = std::move(call); }

 private:
  Devices(store::Database& database, const Clock& clock) : database_(database), clock_(clock) {}
  Result<void> load();
  // A write between begin() and settle().
  Task<Result<RegistryChanges>> write(std::function<Result<RegistryChanges>(store::Tx&)> work);
  // Both under the lock.
  void put(Identity identity, uint64_t revision);
  void drop(const Address& address, uint64_t revision);
  Identity make(Address address, const IdentityWishes& wishes) const;

  store::Database& database_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<Address, std::shared_ptr<const Identity>> by_address_;  // a device before its modules
  // What memory took from the writes under way and since: the newest change of each address, a
  // removal too. Forgotten when no write is under way, for then nothing older can come.
  std::map<Address, uint64_t> revisions_;
  size_t writes_ = 0;
  std::map<Address, Presence> presence_;
  std::map<Address, Presence> unsaved_;
  std::map<std::string, std::array<std::string, 2>, std::less<>> policies_;
  size_t device_count_ = 0;
  std::function<void(const Address&)> on_change_;
};

}  // namespace holdfast::iot
