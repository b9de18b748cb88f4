#include "blob/blobs.h"

#include <algorithm>

#include "blob/history.h"
#include "blob/kept.h"
#include "blob/pages.h"
#include "blob/retention.h"
#include "blob/sql_blob_sql.h"
#include "blob/sql_copies_sql.h"
#include "blob/sql_history_sql.h"
#include "blob/sql_operations_sql.h"
#include "blob/sql_overwrites_sql.h"
#include "blob/sql_pages_sql.h"
#include "blob/sql_rehydration_sql.h"
#include "blob/sql_retention_sql.h"
#include "blob/sql_service_sql.h"
#include "blob/sql_tags_sql.h"
#include "blob/tell.h"
#include "blob/tiers.h"
#include "events/outbox.h"
#include "store/database/few_rows.h"

namespace holdfast::blob {

using store::Tx;

Result<std::unique_ptr<Blobs>> Blobs::open(store::Database& database, store::ObjectStore& objects,
                                           const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_blob_sql},        {2, k_sql_service_sql},
                                         {3, k_sql_operations_sql},  {4, k_sql_tags_sql},
                                         {5, k_sql_pages_sql},       {6, k_sql_history_sql},
                                         {7, k_sql_retention_sql},   {8, k_sql_copies_sql},
                                         {9, k_sql_rehydration_sql}, {10, k_sql_overwrites_sql}};
  TRY_VOID(database.migrate("blob", migrations));
  TRY_VOID(events::migrate(database));
  return std::unique_ptr<Blobs>(new Blobs(database, objects, clock));
}

AccountSettings Blobs::settings(std::string_view account) const {
  return settings_ ? settings_(account) : AccountSettings();
}

void Blobs::observe(std::function<void(const BlobKey&)> observer) {
  if (!observer_) {
    observer_ = std::move(observer);
    return;
  }
  observer_ = [before = std::move(observer_), observer = std::move(observer)](const BlobKey& key) {
    before(key);
    observer(key);
  };
}

// Time-based, so that it also grows over restarts, and never the same twice.
uint64_t Blobs::next_etag() {
  uint64_t last = last_etag_.load();
  for (;;) {
    const uint64_t next = std::max(last + 1, static_cast<uint64_t>(nanos(clock_.now())));
    if (last_etag_.compare_exchange_weak(last, next)) return next;
  }
}

// The new content takes the place of the old one, with all that belongs to it, in one transaction.
Result<Info> Blobs::replace(Tx& tx, const FoundContainer& in, const std::string& name,
                            store::ContentId content, uint64_t size, const NewBlob& wanted,
                            const Conditions& conditions, std::string_view api) {
  TRY(auto there, find_or_expire(tx, *this, in, name));
  std::optional<Info> old;
  if (there) old = there->info;
  TRY_VOID(check_change(conditions, old, Write::replace, clock_.now()));
  if (old) TRY_VOID(check_mutable(*old, clock_.now()));
  if (old) TRY_VOID(check_online(*old));
  Info info;
  info.name = name;
  info.size = size;
  info.modified = clock_.now();
  info.created = there ? there->info.created : info.modified;
  info.etag = next_etag();
  info.headers = wanted.headers;
  info.metadata = wanted.metadata;
  info.type = wanted.type;
  info.blocks = wanted.blocks;
  info.sealed = wanted.sealed;
  info.sequence = wanted.sequence;
  info.expiry = wanted.expiry;
  info.immutability = wanted.immutability;
  info.copy = wanted.copy;
  info.tags = wanted.tags;
  info.tier = wanted.tier;
  if (!info.tier.empty()) info.tier_changed = info.modified;
  if (there) info.lease = there->info.lease;
  settle_lease(info, info.modified);
  if (there) {
    TRY(const Keeping keeping, keeping_in(tx, settings(in.account), in.account));
    TRY_VOID(set_aside(tx, objects_, in.id, *there, keeping, false, info.modified));
  } else {
    TRY_VOID(end_last(tx, in.id, name));
  }
  if (settings(in.account).versioning) {
    TRY(info.version, free_time(tx, in.id, name, info.modified, {}));
  }
  TRY_VOID(save_blob(tx, in.id, content, info));
  if (info.type == BlobType::page) TRY_VOID(note_overwrite(tx, in.id, name));
  TRY_VOID(drop_blocks(tx, objects_, in.id, name));
  const Change change{Change::created, api, old ? &*old : nullptr};
  TRY_VOID(tell(tx, *this, BlobKey(in.account, in.info.name, name), change, info, conditions));
  return info;
}

Task<Result<Info>> Blobs::put_blob(BlobKey key, store::StagedContent content, Pairs headers,
                                   Pairs metadata, Conditions conditions) {
  NewBlob wanted;
  wanted.headers = std::move(headers);
  wanted.metadata = std::move(metadata);
  co_return co_await put_blob(std::move(key), std::move(content), std::move(wanted),
                              std::move(conditions));
}

Task<Result<Info>> Blobs::put_blob(BlobKey key, store::StagedContent content, NewBlob wanted,
                                   Conditions conditions) {
  auto work = [this, key, content, wanted, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(const store::ContentId id, objects_.add(tx, content));
    return replace(tx, in, key.name, id, content.size, wanted, conditions, "PutBlob");
  };
  auto done = co_await database_.write(std::move(work));
  if (done && observer_) observer_(key);
  co_return done;
}

Task<Result<Info>> Blobs::blob(BlobKey key, Conditions conditions) {
  auto work = [this, key = std::move(key),
               conditions = std::move(conditions)](Tx& tx) -> Result<Info> {
    TRY(FoundBlob there, find_for_read(tx, key, clock_.now()));
    TRY_VOID(check_read(conditions, there.info));
    TRY_VOID(may_read(there.info.lease, conditions.lease_id, clock_.now(), Leased::blob));
    if (there.info.tier == kArchive) {
      TRY(const int64_t container, find_container_id(tx, key.account, key.container));
      TRY_VOID(note_rehydration(tx, container, there.info));
    }
    return std::move(there.info);
  };
  co_return co_await store::read_few(database_, std::move(work));
}

Task<Result<void>> Blobs::may_replace(BlobKey key, Conditions conditions) {
  auto work = [this, key, conditions](Tx& tx) -> Result<void> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key.name, clock_.now()));
    std::optional<Info> old;
    if (there) old = std::move(there->info);
    TRY_VOID(check_change(conditions, old, Write::replace, clock_.now()));
    if (!old) return {};
    TRY_VOID(check_mutable(*old, clock_.now()));
    return check_online(*old);
  };
  co_return co_await store::read_few(database_, std::move(work));
}

namespace {

Result<OpenBlob> open_in(Tx& tx, store::ObjectStore& objects, WallTime now, const BlobKey& key,
                         const Conditions& conditions, Range wanted) {
  TRY(FoundBlob there, find_for_read(tx, key, now));
  TRY_VOID(check_read(conditions, there.info));
  TRY_VOID(may_read(there.info.lease, conditions.lease_id, now, Leased::blob));
  TRY_VOID(check_online(there.info));
  OpenBlob open;
  TRY(open.content, open_content(tx, objects, there, wanted));
  open.info = std::move(there.info);
  return open;
}

}  // namespace

Task<Result<OpenBlob>> Blobs::open_blob(BlobKey key, Conditions conditions, Range wanted) {
  auto work = [this, key = std::move(key), conditions = std::move(conditions), wanted](Tx& tx) {
    return open_in(tx, objects_, clock_.now(), key, conditions, wanted);
  };
  co_return co_await store::read_few(database_, std::move(work));
}

std::optional<Result<OpenBlob>> Blobs::open_blob_now(const BlobKey& key,
                                                     const Conditions& conditions, Range wanted) {
  return store::read_few_now(database_, [&](Tx& tx) {
    return open_in(tx, objects_, clock_.now(), key, conditions, wanted);
  });
}

Task<Result<void>> Blobs::delete_blob(BlobKey key, Conditions conditions) {
  History history(*this);
  CO_TRY_VOID(co_await history.remove(std::move(key), std::move(conditions), Removal()));
  co_return Result<void>();
}

Task<Result<Info>> Blobs::set_properties(BlobKey key, std::optional<Pairs> headers,
                                         std::optional<Pairs> metadata, Conditions conditions) {
  auto work = [this, key, headers, metadata, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key.name, clock_.now()));
    if (!there) return blob_not_found(key);
    TRY_VOID(check_change(conditions, there->info, Write::change, clock_.now()));
    TRY_VOID(check_mutable(there->info, clock_.now()));
    TRY_VOID(check_online(there->info));
    Info info = std::move(there->info);
    if (headers) info.headers = *headers;
    if (metadata && settings(key.account).versioning) {
      TRY_VOID(objects_.retain(tx, there->content));
      TRY(const WallTime at, version_id(tx, in.id, info));
      FoundBlob before;
      before.content = there->content;
      before.info = info;
      TRY_VOID(keep(tx, in.id, before, KeptState::version, at));
      TRY(info.version, free_time(tx, in.id, key.name, clock_.now(), at));
    }
    if (metadata) info.metadata = *metadata;
    info.modified = clock_.now();
    info.etag = next_etag();
    settle_lease(info, info.modified);
    TRY_VOID(save_blob(tx, in.id, there->content, info));
    const Change change{Change::properties, metadata ? "SetBlobMetadata" : "SetBlobProperties", {}};
    TRY_VOID(tell(tx, *this, key, change, info, conditions));
    return info;
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::blob
