#include "blob/history.h"

#include "blob/kept.h"
#include "blob/retention.h"
#include "blob/tell.h"
#include "blob/tiers.h"

namespace holdfast::blob {

using store::Tx;

Task<Result<Info>> History::snapshot(BlobKey key, std::optional<Pairs> metadata,
                                     Conditions conditions) {
  auto work = [this, key, metadata, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key.name, blobs_.clock_.now()));
    if (!there) return blob_not_found(key);
    const WallTime now = blobs_.clock_.now();
    TRY_VOID(check_write(conditions, there->info, Write::change));
    TRY_VOID(may_read(there->info.lease, conditions.lease_id, now, Leased::blob));
    TRY_VOID(check_no_copy(there->info));
    TRY_VOID(check_online(there->info));
    if (metadata) {  // then it is another thing than the blob was
      there->info.metadata = *metadata;
      there->info.modified = now;
      there->info.etag = blobs_.next_etag();
    }
    TRY(const WallTime at, free_time(tx, in.id, key.name, now, there->info.version));
    TRY_VOID(blobs_.objects_.retain(tx, there->content));
    TRY_VOID(keep(tx, in.id, *there, KeptState::snapshot, at));
    there->info.snapshot = at;
    const Change change{Change::snapshot_made, "SnapshotBlob", {}};
    TRY_VOID(tell(tx, blobs_, key, change, there->info, conditions));
    return std::move(there->info);
  };
  co_return co_await blobs_.database_.write(std::move(work));
}

Task<Result<bool>> History::remove(BlobKey key, Conditions conditions, Removal removal) {
  const bool kept = key.snapshot != WallTime() || key.version != WallTime();
  auto work = [this, key, conditions, removal, kept](Tx& tx) {
    return kept ? remove_kept(tx, key, conditions, removal)
                : remove_blob(tx, key, conditions, removal.snapshots);
  };
  auto done = co_await blobs_.database_.write(std::move(work));
  if (done && !kept && removal.snapshots != Removal::only && blobs_.observer_)
    blobs_.observer_(key);
  co_return done;
}

Result<bool> History::remove_blob(Tx& tx, const BlobKey& key, const Conditions& conditions,
                                  Removal::Snapshots snapshots) {
  TRY(const FoundContainer in, find_container(tx, key.account, key.container));
  TRY(auto there, find_blob(tx, in.id, key.name, blobs_.clock_.now()));
  if (!there) return blob_not_found(key);
  const WallTime now = blobs_.clock_.now();
  TRY_VOID(check_change(conditions, there->info, Write::change, now));
  TRY(const Keeping keeping, keeping_in(tx, blobs_.settings(key.account), key.account));
  const bool softly = keeping.kept.count() > 0;
  TRY(const auto taken, times_of(tx, in.id, key.name, KeptState::snapshot));
  if (!taken.empty() && snapshots == Removal::none)
    return fail(Code::conflict, "snapshots_present",
                "This operation is not permitted because the blob has snapshots.");
  for (const WallTime at : taken) {
    TRY(const auto kept, find_kept(tx, in.id, key.name, at));
    if (kept) TRY_VOID(check_mutable(kept->blob.info, now));
  }
  TRY_VOID(remove_snapshots(tx, blobs_.objects_, in.id, key.name, keeping, now));
  if (snapshots == Removal::only) return !softly;
  TRY_VOID(check_mutable(there->info, now));
  TRY_VOID(remove_present(tx, blobs_.objects_, in.id, *there, keeping, now));
  TRY_VOID(tell(tx, blobs_, key, {Change::deleted, "DeleteBlob", {}}, there->info, conditions));
  return !softly && !keeping.versions;
}

Result<bool> History::remove_kept(Tx& tx, const BlobKey& key, const Conditions& conditions,
                                  const Removal& removal) {
  TRY(const FoundContainer in, find_container(tx, key.account, key.container));
  const bool version = key.version != WallTime();
  const WallTime at = version ? key.version : key.snapshot;
  if (version) {
    TRY(const auto there, find_blob(tx, in.id, key.name, blobs_.clock_.now()));
    if (there && there->info.version == at)
      return fail(Code::denied, "current_version",
                  "The specified operation is not allowed on root blob.");
  }
  TRY(const auto kept, find_kept(tx, in.id, key.name, at));
  const bool live =
      kept && (version ? kept->state == KeptState::version || kept->state == KeptState::last_version
                       : kept->state == KeptState::snapshot);
  const bool soft = kept && (version ? kept->state == KeptState::deleted_version ||
                                           kept->state == KeptState::deleted_last_version
                                     : kept->state == KeptState::deleted_snapshot);
  if (!live && !(soft && removal.permanent)) return blob_not_found(key);
  const WallTime now = blobs_.clock_.now();
  TRY_VOID(check_write(conditions, kept->blob.info, Write::change));
  TRY_VOID(check_mutable(kept->blob.info, now));
  TRY(const Keeping keeping, keeping_in(tx, blobs_.settings(key.account), key.account));
  if (removal.permanent) {
    if (!keeping.permanent_delete)
      return fail(Code::conflict, "permanent_delete_disabled",
                  "Permanent delete is not enabled for this account.");
    if (!soft)
      return fail(Code::conflict, "not_soft_deleted",
                  "The specified blob snapshot or version is not soft deleted.");
  }
  const Change change{Change::snapshot_deleted, "DeleteBlob", {}};
  TRY_VOID(tell(tx, blobs_, key, change, kept->blob.info, conditions));
  if (removal.permanent || keeping.kept.count() == 0) {
    TRY_VOID(drop_kept(tx, blobs_.objects_, in.id, key.name, at));
    return true;
  }
  TRY_VOID(delete_softly(tx, in.id, key.name, at, kept->state, now, now + keeping.kept));
  return false;
}

Task<Result<void>> History::undelete(BlobKey key) {
  auto work = [this, key](Tx& tx) -> Result<void> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    const std::string_view name = key.name;
    TRY(const auto before, find_or_expire(tx, blobs_, in, name));
    int64_t rows = 0;
    for (const auto& [from, to] :
         {std::pair(KeptState::deleted_snapshot, KeptState::snapshot),
          std::pair(KeptState::deleted_version, KeptState::version),
          std::pair(KeptState::deleted_last_version, KeptState::last_version)}) {
      TRY(const int64_t changed,
          tx.run("UPDATE blob_history SET state = ?, deleted = 0, expires = 0 WHERE container = ? "
                 "AND state = ? AND name = ?",
                 {static_cast<int64_t>(to), in.id, static_cast<int64_t>(from), name}));
      rows += changed;
    }
    TRY(const auto gone, times_of(tx, in.id, name, KeptState::deleted_blob));
    for (const WallTime at : gone) {
      TRY(const auto kept, find_kept(tx, in.id, name, at));
      if (kept) TRY_VOID(revive(tx, in.id, *kept, at));
    }
    TRY(const auto there, find_row(tx, in.id, name));
    if (!there && rows == 0) {
      TRY(const auto versions, times_of(tx, in.id, name, KeptState::last_version));
      if (versions.empty()) return blob_not_found(key);
    }
    if (there && !before)
      TRY_VOID(tell(tx, blobs_, key, {Change::created, "UndeleteBlob", {}}, there->info, {}));
    return {};
  };
  auto done = co_await blobs_.database_.write(std::move(work));
  if (done && blobs_.observer_) blobs_.observer_(key);
  co_return done;
}

}  // namespace holdfast::blob
