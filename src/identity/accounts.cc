#include "identity/accounts.h"

#include <algorithm>

#include "base/digest.h"
#include "identity/sql_accounts_sql.h"

namespace holdfast::identity {

Result<void> check_account_name(std::string_view name) {
  const bool fits =
      name.size() >= 3 && name.size() <= 24 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
      });
  if (!fits)
    return fail(Code::invalid_argument,
                "'" + std::string(name) +
                    "' is not an account name: 3 to 24 lower-case letters and digits");
  return {};
}

Result<std::unique_ptr<Accounts>> Accounts::open(store::Database& database, const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_accounts_sql}};
  TRY_VOID(database.migrate("accounts", migrations));
  std::unique_ptr<Accounts> accounts(new Accounts(database, clock));
  std::vector<StorageAccount> found;
  TRY_VOID(database.write_now([&](store::Tx& tx) -> Result<void> {
    found.clear();
    return tx.each("SELECT name, created, key1, key2 FROM account", {}, [&](const store::Row& row) {
      StorageAccount account;
      account.name = std::string(row.text(0));
      account.created = WallTime(std::chrono::nanoseconds(row.integer(1)));
      account.keys = {from_base64(row.text(2)).value_or(""), from_base64(row.text(3)).value_or("")};
      found.push_back(std::move(account));
      return true;
    });
  }));
  for (auto& account : found) accounts->put(std::move(account));
  return accounts;
}

void Accounts::put(StorageAccount account) {
  auto shared = std::make_shared<const StorageAccount>(std::move(account));
  const std::lock_guard lock(mutex_);
  by_name_[shared->name] = shared;
}

Task<Result<StorageAccount>> Accounts::create(std::string name) {
  CO_TRY_VOID(check_account_name(name));
  StorageAccount account;
  account.name = std::move(name);
  account.created = clock_.now();
  account.keys = {random_bytes(64), random_bytes(64)};
  auto work = [account](store::Tx& tx) -> Result<void> {
    const std::string key1 = base64(as_bytes(account.keys[0])),
                      key2 = base64(as_bytes(account.keys[1]));
    auto inserted =
        tx.run("INSERT INTO account VALUES(?, ?, ?, ?)",
               {std::string_view(account.name), int64_t{account.created.time_since_epoch().count()},
                std::string_view(key1), std::string_view(key2)});
    if (!inserted && inserted.error().code() == Code::conflict)
      return fail(Code::conflict, "the account '" + account.name + "' exists already");
    if (!inserted) return std::unexpected(inserted.error());
    return {};
  };
  CO_TRY_VOID(co_await database_.write(std::move(work)));
  put(account);
  co_return account;
}

Result<void> Accounts::offer_emulator() {
  // learn.microsoft.com/azure/storage/common/storage-use-emulator
  constexpr std::string_view name = "devstoreaccount1";
  constexpr std::string_view key =
      "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
  if (find(name))
    return fail(Code::conflict, "the account '" + std::string(name) +
                                    "' exists with keys of its own; remove it before the "
                                    "emulator's takes its name");
  TRY(const std::string bytes, from_base64(key));
  StorageAccount account;
  account.name = std::string(name);
  account.created = clock_.now();
  account.keys = {bytes, bytes};
  put(std::move(account));
  return {};
}

Task<Result<void>> Accounts::remove(std::string name) {
  auto work = [name](store::Tx& tx) -> Result<void> {
    TRY(const int64_t gone, tx.run("DELETE FROM account WHERE name = ?", {std::string_view(name)}));
    if (gone == 0) return fail(Code::not_found, "there is no account '" + name + "'");
    return {};
  };
  CO_TRY_VOID(co_await database_.write(std::move(work)));
  const std::lock_guard lock(mutex_);
  by_name_.erase(name);
  co_return Result<void>();
}

Task<Result<StorageAccount>> Accounts::rotate(std::string name, size_t key) {
  CO_TRY(const auto found, find(name));
  StorageAccount account = *found;
  account.keys.at(key) = random_bytes(64);
  auto work = [account](store::Tx& tx) -> Result<void> {
    const std::string key1 = base64(as_bytes(account.keys[0])),
                      key2 = base64(as_bytes(account.keys[1]));
    TRY_VOID(
        tx.run("UPDATE account SET key1 = ?, key2 = ? WHERE name = ?",
               {std::string_view(key1), std::string_view(key2), std::string_view(account.name)}));
    return {};
  };
  CO_TRY_VOID(co_await database_.write(std::move(work)));
  put(account);
  co_return account;
}

Result<std::shared_ptr<const StorageAccount>> Accounts::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end())
    return fail(Code::not_found, "there is no account '" + std::string(name) + "'");
  return found->second;
}

std::vector<std::shared_ptr<const StorageAccount>> Accounts::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const StorageAccount>> out;
  for (const auto& [name, account] : by_name_) out.push_back(account);
  return out;
}

}  // namespace holdfast::identity
