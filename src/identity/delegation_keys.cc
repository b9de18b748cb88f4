#include "identity/delegation_keys.h"

#include "base/digest.h"
#include "identity/sql_delegation_keys_sql.h"

namespace holdfast::identity {
namespace {

std::string value_of(std::string_view secret, const DelegationKey& key) {
  std::string text;
  for (const std::string& part :
       {key.oid, key.tid, key.start, key.expiry, key.service, key.version, key.delegated_tid})
    text += std::to_string(part.size()) + ":" + part;
  return hmac_sha256(as_bytes(secret), as_bytes(text));
}

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::denied, "authentication_failed", std::move(why));
}

}  // namespace

Result<std::unique_ptr<DelegationKeys>> DelegationKeys::open(store::Database& database,
                                                             const Applications& applications,
                                                             std::string tenant,
                                                             const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_delegation_keys_sql}};
  TRY_VOID(database.migrate("delegation_keys", migrations));
  std::unique_ptr<DelegationKeys> out(
      new DelegationKeys(database, applications, std::move(tenant), clock));
  auto& known = out->secrets_;
  TRY_VOID(database.write_now([&known](store::Tx& tx) -> Result<void> {
    known.clear();
    return tx.each("SELECT account, secret FROM delegation_secret", {},
                   [&known](const store::Row& row) {
                     known[std::string(row.text(0))] = from_base64(row.text(1)).value_or("");
                     return true;
                   });
  }));
  return out;
}

std::string DelegationKeys::secret_of(std::string_view account) const {
  const std::lock_guard lock(mutex_);
  const auto found = secrets_.find(account);
  return found == secrets_.end() ? std::string() : found->second;
}

Task<Result<void>> DelegationKeys::keep(std::string account, std::string secret, bool replace) {
  // Two that ask at once get one secret: the one that the database kept.
  auto work = [account, secret, replace](store::Tx& tx) -> Result<std::string> {
    const std::string text = base64(as_bytes(secret));
    if (replace)
      TRY_VOID(
          tx.run("DELETE FROM delegation_secret WHERE account = ?", {std::string_view(account)}));
    TRY_VOID(tx.run("INSERT INTO delegation_secret VALUES(?, ?) ON CONFLICT(account) DO NOTHING",
                    {std::string_view(account), std::string_view(text)}));
    std::string kept;
    TRY_VOID(tx.each("SELECT secret FROM delegation_secret WHERE account = ?",
                     {std::string_view(account)}, [&kept](const store::Row& row) {
                       kept = row.text(0);
                       return false;
                     }));
    return from_base64(kept);
  };
  CO_TRY(std::string kept, co_await database_.write(std::move(work)));
  const std::lock_guard lock(mutex_);
  secrets_[std::move(account)] = std::move(kept);
  co_return Result<void>();
}

Task<Result<std::string>> DelegationKeys::make(std::string account, DelegationKey key) {
  if (secret_of(account).empty()) {
    CO_TRY_VOID(co_await keep(account, random_bytes(32), false));
  }
  co_return value_of(secret_of(account), key);
}

Task<Result<void>> DelegationKeys::revoke(std::string account) {
  co_return co_await keep(std::move(account), random_bytes(32), true);
}

Result<Delegated> DelegationKeys::find(std::string_view account,
                                       const http::Request& request) const {
  const auto get = [&](std::string_view name) {
    return std::string(request.query_value(name).value_or(""));
  };
  const DelegationKey key{get("skoid"), get("sktid"), get("skt"),    get("ske"),
                          get("sks"),   get("skv"),   get("skdutid")};
  const std::string secret = secret_of(account);
  const auto start = parse_rfc3339(key.start), expiry = parse_rfc3339(key.expiry);
  if (secret.empty() || key.tid != tenant_ || key.service != "b" || !start || !expiry)
    return refuse("no key of this server is named by skoid, sktid, skt, ske, sks and skv");
  const WallTime now = clock_.now();
  if (now < *start || now >= *expiry) return refuse("the user delegation key is not valid now");
  const auto caller = applications_.caller(key.oid);
  if (!caller) return refuse("the user delegation key's owner is not known any more");
  if (!caller->reaches(account))
    return fail(Code::denied, "sas_permission", "the key's owner has no role for this account");
  return Delegated{value_of(secret, key), caller->permissions};
}

}  // namespace holdfast::identity
