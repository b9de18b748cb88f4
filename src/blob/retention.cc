#include "blob/retention.h"

#include "blob/kept.h"
#include "blob/pending_rows.h"
#include "blob/tell.h"
#include "blob/tiers.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;

std::unexpected<Error> past() {
  return fail(Code::invalid_argument, "invalid_expiry",
              "The value for one of the HTTP headers is not in the correct format: the time is "
              "past, or too far away.");
}

}  // namespace

Result<void> check_mutable(const Info& info, WallTime now) {
  if (info.immutability.hold)
    return fail(Code::conflict, "immutable_hold",
                "This operation is not permitted as the blob is immutable due to one or more legal "
                "holds.");
  if (info.immutability.protects(now))
    return fail(Code::conflict, "immutable_policy",
                "This operation is not permitted as the blob is immutable due to a policy.");
  return {};
}

Result<WallTime> expiry_at(const Expiry& expiry, WallTime now, WallTime created) {
  constexpr auto kFar = std::chrono::hours(24 * 365 * 150);
  if (expiry.from == Expiry::never) return WallTime();
  if (expiry.after > kFar) return past();
  const WallTime at = expiry.from == Expiry::absolute   ? expiry.at
                      : expiry.from == Expiry::creation ? created + expiry.after
                                                        : now + expiry.after;
  if (at <= now) return past();
  return at;
}

Task<Result<Info>> Retention::change(BlobKey key, Conditions conditions,
                                     std::function<Result<void>(Info&)> apply) {
  auto work = [this, key, conditions, apply](Tx& tx) -> Result<Info> {
    const WallTime now = blobs_.clock_.now();
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key, now));
    if (!there) return blob_not_found(key);
    TRY_VOID(check_write(conditions, there->info, Write::change));
    TRY_VOID(apply(there->info));
    if (kept_at(there->info)) {
      TRY_VOID(save_labels(tx, in.id, *there));
    } else {
      TRY_VOID(save_blob(tx, in.id, there->content, there->info));
    }
    return std::move(there->info);
  };
  co_return co_await blobs_.database_.write(std::move(work));
}

Task<Result<Info>> Retention::set_expiry(BlobKey key, Expiry expiry, Conditions conditions) {
  std::function<Result<void>(Info&)> apply = [this, expiry,
                                              conditions](Info& info) -> Result<void> {
    const WallTime now = blobs_.clock_.now();
    TRY_VOID(check_mutable(info, now));
    TRY_VOID(may_write(info.lease, conditions.lease_id, now, Leased::blob));
    TRY_VOID(check_no_copy(info));
    TRY_VOID(check_online(info));
    TRY(info.expiry, expiry_at(expiry, now, info.created));
    info.modified = now;
    info.etag = blobs_.next_etag();
    return {};
  };
  co_return co_await change(std::move(key), conditions, std::move(apply));
}

Task<Result<Info>> Retention::set_policy(BlobKey key, Immutability::Mode mode, WallTime until,
                                         Conditions conditions) {
  std::function<Result<void>(Info&)> apply = [mode, until](Info& info) -> Result<void> {
    Immutability& now = info.immutability;
    if (now.mode == Immutability::locked && (mode != Immutability::locked || until < now.until))
      return fail(Code::conflict, "policy_locked",
                  "This operation is not permitted as the policy is locked: it can only be "
                  "extended.");
    now.mode = mode;
    now.until = until;
    return {};
  };
  co_return co_await change(std::move(key), std::move(conditions), std::move(apply));
}

Task<Result<Info>> Retention::delete_policy(BlobKey key) {
  std::function<Result<void>(Info&)> apply = [](Info& info) -> Result<void> {
    if (info.immutability.mode == Immutability::locked)
      return fail(Code::conflict, "policy_delete_locked",
                  "This operation is not permitted as the policy is locked.");
    info.immutability.mode = Immutability::none;
    info.immutability.until = WallTime();
    return {};
  };
  const Conditions none;
  co_return co_await change(std::move(key), none, std::move(apply));
}

Task<Result<Info>> Retention::set_hold(BlobKey key, bool hold) {
  std::function<Result<void>(Info&)> apply = [hold](Info& info) -> Result<void> {
    info.immutability.hold = hold;
    return {};
  };
  const Conditions none;
  co_return co_await change(std::move(key), none, std::move(apply));
}

Task<Result<void>> Retention::sweep() {
  const int64_t now = nanos(blobs_.clock_.now());
  const auto find = [now](Tx& tx, int64_t limit) -> Result<std::vector<BlobKey>> {
    std::vector<BlobKey> out;
    TRY_VOID(tx.each(
        "SELECT container.account, container.name, blob.name FROM blob JOIN container ON "
        "container.id = blob.container WHERE expiry > 0 AND expiry <= ?1 AND policy_until <= ?1 "
        "AND legal_hold = 0 AND container.account <> '' LIMIT ?2",
        {now, limit}, [&](const Row& row) {
          out.emplace_back(std::string(row.text(0)), std::string(row.text(1)),
                           std::string(row.text(2)));
          return true;
        }));
    return out;
  };
  auto any = [find](Tx& tx) { return find(tx, 1); };
  // In groups, so that other writers get their turn.
  auto drop = [this, find](Tx& tx) -> Result<std::vector<BlobKey>> {
    TRY(auto expired, find(tx, 100));
    for (const BlobKey& key : expired) {
      TRY(const FoundContainer in, find_container(tx, key.account, key.container));
      TRY_VOID(find_or_expire(tx, blobs_, in, key.name));
    }
    return expired;
  };
  for (;;) {
    CO_TRY(const auto some, co_await blobs_.database_.read(any));  // nothing writes nothing
    if (some.empty()) co_return Result<void>();
    CO_TRY(const auto gone, co_await blobs_.database_.write(drop));
    for (const BlobKey& key : gone) {
      if (blobs_.observer_) blobs_.observer_(key);
    }
  }
}

Result<std::optional<FoundBlob>> find_or_expire(Tx& tx, Blobs& blobs, const FoundContainer& in,
                                                std::string_view name) {
  const WallTime now = blobs.clock().now();
  TRY(auto there, find_row(tx, in.id, name));
  if (!there || !expired(there->info, now)) return there;
  TRY(const Keeping keeping, keeping_in(tx, blobs.settings(in.account), in.account));
  TRY_VOID(remove_snapshots(tx, blobs.objects(), in.id, name, keeping, now));
  TRY(const auto copy, find_copy_to(tx, in.id, name));
  if (copy) {
    TRY_VOID(end_copy(tx, blobs.objects(), *copy, "failed", "the blob has expired", now));
    TRY(there, find_row(tx, in.id, name));
  }
  TRY_VOID(remove_present(tx, blobs.objects(), in.id, *there, keeping, now));
  const BlobKey key(in.account, in.info.name, std::string(name));
  TRY_VOID(tell(tx, blobs, key, {Change::deleted, "DeleteBlob", {}}, there->info, {}));
  return std::nullopt;
}

// A container goes with its blobs, so none of them may be immutable.
Result<void> check_none_immutable(Tx& tx, int64_t container, WallTime now) {
  bool kept = false;
  for (const char* table : {"blob", "blob_history"}) {
    TRY_VOID(tx.each(std::string("SELECT 1 FROM ") + table +
                         " WHERE container = ? AND (policy > 0 OR legal_hold > 0) AND "
                         "(policy_until > ? OR legal_hold > 0) LIMIT 1",
                     {container, nanos(now)}, [&](const Row&) { return !(kept = true); }));
  }
  if (kept)
    return fail(Code::conflict, "immutable_policy",
                "This operation is not permitted as a blob of the container is immutable.");
  return {};
}

}  // namespace holdfast::blob
