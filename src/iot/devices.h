// The registry: who the devices and modules are. Kept in memory as well, so that a connect reads no
// database. Reasons of its errors: device_not_found, module_not_found, device_exists,
// module_exists, etag.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "iot/types.h"
#include "store/database/database.h"

namespace holdfast::iot {

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
  // not in it. Inside a transaction; call settle() after it is durable.
  struct Changes {
    uint64_t turn = 0;           // grows from one transaction to the next
    std::vector<Identity> made;  // or changed
    std::vector<Address> removed;
  };
  Result<Changes> level_modules(store::Tx& tx, const std::string& device,
                                const std::vector<std::string>& wanted);
  void settle(const Changes& changes);

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
  void put(Identity identity);  // under mutex_, as the two that follow
  void drop(const Address& address);
  bool is_news(const Address& address, uint64_t turn);
  Identity make(Address address, const IdentityWishes& wishes) const;

  store::Database& database_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<Address, std::shared_ptr<const Identity>> by_address_;  // a device before its modules
  std::map<Address, Presence> presence_;
  std::map<Address, Presence> unsaved_;
  std::map<std::string, std::array<std::string, 2>, std::less<>> policies_;
  size_t device_count_ = 0;
  // Commits are told to their callers in any order: what memory has of an address is of this turn,
  // and older news is dropped.
  std::map<Address, uint64_t> turns_;
  std::atomic<uint64_t> turn_ = 0;  // counted inside transactions
  std::function<void(const Address&)> on_change_;
};

}  // namespace holdfast::iot
