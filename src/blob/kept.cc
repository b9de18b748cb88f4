#include "blob/kept.h"

namespace holdfast::blob {

using store::Row;
using store::Tx;
using Ticks = std::chrono::duration<int64_t, std::ratio<1, 10'000'000>>;  // as the protocol's times

namespace {

WallTime time_in(const Row& row, int column) {
  return WallTime(std::chrono::nanoseconds(row.integer(column)));
}

// So that a row is named by what is bound alone.
constexpr const char* kThatRow = " WHERE container = ? AND name = ? AND at = ?";

}  // namespace

Result<Keeping> keeping_in(Tx& tx, const AccountSettings& settings, std::string_view account) {
  Keeping keeping;
  keeping.versions = settings.versioning;
  TRY_VOID(tx.each("SELECT kept_days, permanent_delete FROM service_properties WHERE account = ?",
                   {account}, [&](const Row& row) {
                     keeping.kept = std::chrono::days(row.integer(0));
                     keeping.permanent_delete = row.integer(1) != 0;
                     return false;
                   }));
  return keeping;
}

Result<void> set_aside(Tx& tx, store::ObjectStore& objects, int64_t container,
                       const FoundBlob& blob, const Keeping& keeping, bool last, WallTime now) {
  const std::string& name = blob.info.name;
  if (keeping.versions) {
    TRY(const WallTime at, version_id(tx, container, blob.info));
    TRY_VOID(keep(tx, container, blob, last ? KeptState::last_version : KeptState::version, at));
  } else if (keeping.kept.count() > 0) {
    TRY(const WallTime at, free_time(tx, container, name, now, blob.info.version));
    TRY_VOID(keep(tx, container, blob, last ? KeptState::deleted_blob : KeptState::deleted_snapshot,
                  at, now, now + keeping.kept));
  } else {
    TRY_VOID(objects.release(tx, blob.content));
  }
  return forget_parts(tx, container, name);
}

Info kept_info(const Row& row) {
  Info info = blob_info(row);
  const auto state = row.integer(kBlobColumnCount);
  if (state < 0) return info;  // it is the blob itself
  const WallTime at = time_in(row, kBlobColumnCount + 1);
  switch (static_cast<KeptState>(state)) {
    case KeptState::snapshot:
    case KeptState::deleted_snapshot:
      info.snapshot = at;
      break;
    case KeptState::deleted_blob:
      break;
    default:
      info.version = at;
      info.current = false;
  }
  info.deleted = time_in(row, kBlobColumnCount + 2);
  info.expires = time_in(row, kBlobColumnCount + 3);
  return info;
}

std::optional<WallTime> kept_at(const Info& info) {
  if (info.snapshot != WallTime()) return info.snapshot;
  if (!info.current) return info.version;
  return std::nullopt;
}

Result<std::optional<Kept>> find_kept(Tx& tx, int64_t container, std::string_view name,
                                      WallTime at) {
  std::optional<Kept> found;
  TRY_VOID(tx.each("SELECT " + std::string(kBlobColumns) + std::string(kKeptColumns) +
                       ", content FROM blob_history" + kThatRow,
                   {container, name, nanos(at)}, [&](const Row& row) {
                     found.emplace();
                     found->blob.info = kept_info(row);
                     found->state = static_cast<KeptState>(row.integer(kBlobColumnCount));
                     found->blob.content =
                         static_cast<store::ContentId>(row.integer(kBlobColumnCount + 4));
                     return false;
                   }));
  return found;
}

Result<std::optional<FoundBlob>> find_blob(Tx& tx, int64_t container, const BlobKey& key,
                                           WallTime now) {
  if (key.snapshot != WallTime()) {
    TRY(auto kept, find_kept(tx, container, key.name, key.snapshot));
    if (!kept || kept->state != KeptState::snapshot) return std::nullopt;
    return std::move(kept->blob);
  }
  if (key.version == WallTime()) return find_blob(tx, container, key.name, now);
  TRY(auto present, find_blob(tx, container, key.name, now));
  if (present && present->info.version == key.version) return present;
  TRY(auto kept, find_kept(tx, container, key.name, key.version));
  if (!kept || (kept->state != KeptState::version && kept->state != KeptState::last_version))
    return std::nullopt;
  return std::move(kept->blob);
}

Result<FoundBlob> find_for_read(Tx& tx, const BlobKey& key, WallTime now) {
  if (key.snapshot == WallTime() && key.version == WallTime()) {
    TRY(auto present, find_row(tx, key));
    if (present && !expired(present->info, now)) return std::move(*present);
  }
  TRY(const int64_t container, find_container_id(tx, key.account, key.container));
  TRY(auto there, find_blob(tx, container, key, now));
  if (!there) return blob_not_found(key);
  return std::move(*there);
}

Result<WallTime> free_time(Tx& tx, int64_t container, std::string_view name, WallTime wanted,
                           WallTime current) {
  WallTime last = current;
  TRY_VOID(tx.each("SELECT max(at) FROM blob_history WHERE container = ? AND name = ?",
                   {container, name}, [&](const Row& row) {
                     if (!row.is_null(0)) last = std::max(last, time_in(row, 0));
                     return false;
                   }));
  return std::max<WallTime>(std::chrono::floor<Ticks>(wanted), last + Ticks(1));
}

Result<WallTime> version_id(Tx& tx, int64_t container, const Info& info) {
  if (info.version != WallTime()) return info.version;
  return free_time(tx, container, info.name, info.modified, {});
}

Result<void> keep(Tx& tx, int64_t container, const FoundBlob& blob, KeptState state, WallTime at,
                  WallTime deleted, WallTime expires) {
  Info info = blob.info;
  info.lease = Lease();
  info.version = WallTime();  // what is a version has its id in `at`
  info.expiry = WallTime();   // it is the blob that expires
  if (state == KeptState::snapshot) info.immutability = Immutability();
  BlobValues row(info);
  row.values.insert(row.values.begin(),
                    {container, nanos(at), static_cast<int64_t>(state), nanos(deleted),
                     nanos(expires), static_cast<int64_t>(blob.content)});
  TRY_VOID(tx.run("INSERT INTO blob_history(container, at, state, deleted, expires, content, " +
                      std::string(kBlobColumns) + ") VALUES(" + marks(row.values.size()) + ")",
                  row.values));
  const std::string_view name = info.name;
  TRY_VOID(
      tx.run("INSERT INTO history_block SELECT container, blob, ?, seq, id, content, size FROM "
             "committed_block WHERE container = ? AND blob = ?",
             {nanos(at), container, name}));
  TRY_VOID(
      tx.run("INSERT INTO history_part SELECT container, blob, ?, seq, content FROM append_part "
             "WHERE container = ? AND blob = ?",
             {nanos(at), container, name}));
  return {};
}

Result<void> end_last(Tx& tx, int64_t container, std::string_view name) {
  // A new blob nearly always has no history.
  bool any = false;
  TRY_VOID(tx.each("SELECT 1 FROM blob_history WHERE container = ? AND name = ? LIMIT 1",
                   {container, name}, [&](const Row&) {
                     any = true;
                     return false;
                   }));
  if (!any) return {};
  for (const auto& [from, to] :
       {std::pair(KeptState::deleted_blob, KeptState::deleted_snapshot),
        std::pair(KeptState::last_version, KeptState::version),
        std::pair(KeptState::deleted_last_version, KeptState::deleted_version)}) {
    TRY_VOID(
        tx.run("UPDATE blob_history SET state = ? WHERE container = ? AND state = ? AND name = ?",
               {static_cast<int64_t>(to), container, static_cast<int64_t>(from), name}));
  }
  return {};
}

namespace {

Result<void> forget_making(Tx& tx, int64_t container, std::string_view name, WallTime at) {
  for (const char* sql : {"DELETE FROM history_block WHERE container = ? AND blob = ? AND at = ?",
                          "DELETE FROM history_part WHERE container = ? AND blob = ? AND at = ?"}) {
    TRY_VOID(tx.run(sql, {container, name, nanos(at)}));
  }
  TRY_VOID(
      tx.run(std::string("DELETE FROM blob_history") + kThatRow, {container, name, nanos(at)}));
  return {};
}

}  // namespace

Result<void> drop_kept(Tx& tx, store::ObjectStore& objects, int64_t container,
                       std::string_view name, WallTime at) {
  TRY(const auto kept, find_kept(tx, container, name, at));
  if (!kept) return {};
  TRY_VOID(forget_making(tx, container, name, at));
  TRY_VOID(objects.release(tx, kept->blob.content));
  if (kept->state != KeptState::last_version && kept->state != KeptState::deleted_last_version)
    return {};
  // Another version is now the last of the blob that is gone.
  TRY_VOID(tx.run(
      "UPDATE blob_history SET state = state + 1 WHERE container = ?1 AND name = ?2 AND at = "
      "(SELECT max(at) FROM blob_history WHERE container = ?1 AND name = ?2 AND state IN "
      "(3, 5))",
      {container, name}));
  return {};
}

Result<void> delete_softly(Tx& tx, int64_t container, std::string_view name, WallTime at,
                           KeptState state, WallTime now, WallTime expires) {
  const KeptState after = state == KeptState::snapshot       ? KeptState::deleted_snapshot
                          : state == KeptState::last_version ? KeptState::deleted_last_version
                                                             : KeptState::deleted_version;
  TRY_VOID(tx.run(
      std::string("UPDATE blob_history SET state = ?, deleted = ?, expires = ?") + kThatRow,
      {static_cast<int64_t>(after), nanos(now), nanos(expires), container, name, nanos(at)}));
  return {};
}

Result<void> revive(Tx& tx, int64_t container, const Kept& kept, WallTime at) {
  Info info = kept.blob.info;
  info.deleted = info.expires = WallTime();
  TRY_VOID(save_blob(tx, container, kept.blob.content, info));
  const std::string_view name = info.name;
  TRY_VOID(
      tx.run("INSERT INTO committed_block SELECT container, blob, seq, id, content, size FROM "
             "history_block WHERE container = ? AND blob = ? AND at = ?",
             {container, name, nanos(at)}));
  TRY_VOID(
      tx.run("INSERT INTO append_part SELECT container, blob, seq, content FROM history_part WHERE "
             "container = ? AND blob = ? AND at = ?",
             {container, name, nanos(at)}));
  return forget_making(tx, container, name, at);
}

Result<void> save_labels(Tx& tx, int64_t container, const FoundBlob& blob) {
  const Info& info = blob.info;
  const auto at = kept_at(info);
  if (!at) return save_blob(tx, container, blob.content, info);
  const std::string tags = pairs_to_json(info.tags);
  TRY_VOID(tx.run(
      std::string("UPDATE blob_history SET tags = ?, tier = ?, tier_changed = ?, policy = "
                  "?, policy_until = ?, legal_hold = ?") +
          kThatRow,
      {std::string_view(tags), std::string_view(info.tier), nanos(info.tier_changed),
       int64_t{info.immutability.mode}, nanos(info.immutability.until),
       int64_t{info.immutability.hold}, container, std::string_view(info.name), nanos(*at)}));
  return {};
}

Result<void> remove_present(Tx& tx, store::ObjectStore& objects, int64_t container,
                            const FoundBlob& blob, const Keeping& keeping, WallTime now) {
  TRY_VOID(set_aside(tx, objects, container, blob, keeping, true, now));
  TRY_VOID(tx.run("DELETE FROM blob WHERE container = ? AND name = ?",
                  {container, std::string_view(blob.info.name)}));
  return {};
}

Result<void> remove_snapshots(Tx& tx, store::ObjectStore& objects, int64_t container,
                              std::string_view name, const Keeping& keeping, WallTime now) {
  TRY(const auto taken, times_of(tx, container, name, KeptState::snapshot));
  for (const WallTime at : taken) {
    TRY(const auto kept, find_kept(tx, container, name, at));
    if (!kept || kept->blob.info.immutability.protects(now)) continue;
    if (keeping.kept.count() > 0) {
      TRY_VOID(
          delete_softly(tx, container, name, at, KeptState::snapshot, now, now + keeping.kept));
    } else {
      TRY_VOID(drop_kept(tx, objects, container, name, at));
    }
  }
  return {};
}

Result<std::vector<WallTime>> times_of(Tx& tx, int64_t container, std::string_view name,
                                       KeptState state) {
  std::vector<WallTime> times;
  TRY_VOID(
      tx.each("SELECT at FROM blob_history WHERE container = ? AND state = ? AND name = ? ORDER BY "
              "at",
              {container, static_cast<int64_t>(state), name}, [&](const Row& row) {
                times.push_back(time_in(row, 0));
                return true;
              }));
  return times;
}

}  // namespace holdfast::blob
