#include "identity/applications.h"

#include "base/digest.h"
#include "identity/accounts.h"
#include "identity/named_uuid.h"
#include "identity/sql_applications_sql.h"

namespace holdfast::identity {
namespace {

std::unexpected<Error> refuse(std::string why) {
  return fail(Code::unauthenticated, "invalid_token", std::move(why));
}

std::string digest_of(std::string_view secret) {
  return sha256_hex(as_bytes(secret));
}

std::string id_of(const Claims& claims) {
  return named_uuid(claims.subject + "\n" + claims.role);
}

Result<BlobCaller> caller_of(const Application& application) {
  if (application.revoked) return refuse("'" + application.name + "' was revoked");
  const auto permissions = blob_permissions(application.role);
  if (!permissions)
    return fail(Code::denied, "role", "the role '" + application.role + "' opens no blobs");
  return BlobCaller{application.id, std::string(*permissions), application.account};
}

}  // namespace

std::optional<std::string_view> blob_permissions(std::string_view role) {
  if (role == kBlobReader || role == "reader") return "rl";
  if (role == kBlobContributor || role == "operator") return "rlacwd";
  if (role == kBlobOwner || role == "admin") return "rlacwdxytfieop";
  return std::nullopt;
}

Result<std::unique_ptr<Applications>> Applications::open(store::Database& database,
                                                         const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_applications_sql}};
  TRY_VOID(database.migrate("applications", migrations));
  std::unique_ptr<Applications> out(new Applications(database, clock));
  auto& known = out->by_id_;
  TRY_VOID(database.write_now([&known](store::Tx& tx) -> Result<void> {
    known.clear();
    return tx.each("SELECT id, name, role, account, secret, created, revoked FROM application", {},
                   [&known](const store::Row& row) {
                     Application one;
                     one.id = row.text(0);
                     one.name = row.text(1);
                     one.role = row.text(2);
                     one.account = row.text(3);
                     one.secret = row.text(4);
                     one.created = WallTime(std::chrono::nanoseconds(row.integer(5)));
                     one.revoked = row.integer(6) != 0;
                     known[one.id] = std::make_shared<const Application>(one);
                     return true;
                   });
  }));
  return out;
}

std::shared_ptr<const Application> Applications::find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

Task<Result<void>> Applications::keep(Application application) {
  auto work = [application](store::Tx& tx) -> Result<void> {
    // Nothing takes a revocation back.
    TRY_VOID(tx.run(
        "INSERT INTO application VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE "
        "SET revoked = max(revoked, excluded.revoked)",
        {std::string_view(application.id), std::string_view(application.name),
         std::string_view(application.role), std::string_view(application.account),
         std::string_view(application.secret),
         int64_t{application.created.time_since_epoch().count()}, int64_t{application.revoked}}));
    return {};
  };
  CO_TRY_VOID(co_await database_.write(std::move(work)));
  auto shared = std::make_shared<const Application>(std::move(application));
  const std::lock_guard lock(mutex_);
  auto& place = by_id_[shared->id];
  if (!place || !place->revoked) place = std::move(shared);
  co_return Result<void>();
}

Task<Result<Applications::Made>> Applications::create(std::string name, std::string role,
                                                      std::string account) {
  if (name.empty() || name.size() > 100)
    co_return fail(Code::invalid_argument, "an application's name has 1 to 100 bytes");
  if (role != kBlobReader && role != kBlobContributor && role != kBlobOwner)
    co_return fail(Code::invalid_argument, "the role must be '" + std::string(kBlobReader) +
                                               "', '" + std::string(kBlobContributor) + "' or '" +
                                               std::string(kBlobOwner) + "'");
  if (!account.empty()) {
    CO_TRY_VOID(check_account_name(account));
  }
  Made made;
  made.secret = base64_url(as_bytes(random_bytes(32)));
  Application& one = made.application;
  one.id = random_uuid();
  one.name = std::move(name);
  one.role = std::move(role);
  one.account = std::move(account);
  one.secret = digest_of(made.secret);
  one.created = clock_.now();
  CO_TRY_VOID(co_await keep(one));
  co_return made;
}

Task<Result<void>> Applications::revoke(std::string id) {
  const auto found = find(id);
  if (!found || found->revoked)
    co_return fail(Code::not_found, "there is no application '" + id + "'");
  Application one = *found;
  one.revoked = true;
  co_return co_await keep(std::move(one));
}

std::vector<Application> Applications::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Application> out;
  for (const auto& [id, one] : by_id_) {
    if (!one->revoked) out.push_back(*one);
  }
  return out;
}

Result<Application> Applications::authenticate(std::string_view id, std::string_view secret) const {
  const auto found = find(id);
  const bool right =
      equal_constant_time(digest_of(secret), found ? found->secret : std::string(64, '0'));
  if (!found || found->revoked || found->secret.empty() || !right)
    return refuse("there is no such application, or this is not its secret");
  return *found;
}

Result<BlobCaller> Applications::caller(const Claims& claims) const {
  if (const auto own = find(claims.subject)) return caller_of(*own);
  Application subject;
  subject.id = id_of(claims);
  if (const auto kept = find(subject.id)) return caller_of(*kept);
  subject.name = claims.subject;
  subject.role = claims.role;
  return caller_of(subject);
}

Result<BlobCaller> Applications::caller(std::string_view id) const {
  const auto found = find(id);
  if (!found) return refuse("there is nobody with the id '" + std::string(id) + "'");
  return caller_of(*found);
}

Task<Result<void>> Applications::remember(Claims claims) {
  if (find(claims.subject) != nullptr) co_return Result<void>();
  Application subject;
  subject.id = id_of(claims);
  if (find(subject.id) != nullptr) co_return Result<void>();
  subject.name = std::move(claims.subject);
  subject.role = std::move(claims.role);
  subject.created = clock_.now();
  co_return co_await keep(std::move(subject));
}

}  // namespace holdfast::identity
