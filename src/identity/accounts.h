// Storage accounts and their two keys. Kept in memory as well, so that checking a signature reads
// no database.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "identity/shared_key.h"
#include "store/database/database.h"

namespace holdfast::identity {

struct StorageAccount {
  std::string name;
  WallTime created;
  KeyPair keys;  // raw bytes
};

// 3–24 lower-case letters and digits.
Result<void> check_account_name(std::string_view name);

// Any thread may call. What was returned as done is on disk.
class Accounts {
 public:
  // Loads all; migrates the component "accounts". `database` and `clock` must outlive it.
  static Result<std::unique_ptr<Accounts>> open(store::Database& database, const Clock& clock);

  // invalid_argument, conflict.
  Task<Result<StorageAccount>> create(std::string name);
  // The account of the storage emulators, with the key that all the world knows, until the process
  // ends. conflict: there is one of that name.
  Result<void> offer_emulator();
  // not_found.
  Task<Result<void>> remove(std::string name);
  // `key` is 0 or 1. not_found.
  Task<Result<StorageAccount>> rotate(std::string name, size_t key);
  Result<std::shared_ptr<const StorageAccount>> find(std::string_view name) const;  // not_found
  std::vector<std::shared_ptr<const StorageAccount>> list() const;                  // by name

 private:
  Accounts(store::Database& database, const Clock& clock) : database_(database), clock_(clock) {}
  void put(StorageAccount account);

  store::Database& database_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const StorageAccount>, std::less<>> by_name_;
};

}  // namespace holdfast::identity
