#include "blob/blobs.h"

#include <algorithm>

#include "blob/rows.h"
#include "blob/sql_blob_sql.h"
#include "blob/sql_service_sql.h"

namespace holdfast::blob {

using store::Tx;

Result<std::unique_ptr<Blobs>> Blobs::open(store::Database& database, store::ObjectStore& objects,
                                           const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_blob_sql}, {2, k_sql_service_sql}};
  TRY_VOID(database.migrate("blob", migrations));
  return std::unique_ptr<Blobs>(new Blobs(database, objects, clock));
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
Result<Info> Blobs::replace(Tx& tx, int64_t container, const BlobKey& key, store::ContentId content,
                            uint64_t size, const Pairs& headers, const Pairs& metadata,
                            const Conditions& conditions) {
  TRY(auto there, find_blob(tx, container, key.name));
  std::optional<Info> old;
  if (there) old = there->info;
  TRY_VOID(check_write(conditions, old, Write::replace));
  Info info;
  info.name = key.name;
  info.size = size;
  info.modified = clock_.now();
  info.created = there ? there->info.created : info.modified;
  info.etag = next_etag();
  info.headers = headers;
  info.metadata = metadata;
  const std::string header_text = pairs_to_json(headers), metadata_text = pairs_to_json(metadata);
  TRY_VOID(
      tx.run("INSERT INTO blob VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(container, name) DO "
             "UPDATE SET content = excluded.content, size = excluded.size, "
             "modified = excluded.modified, etag = excluded.etag, headers = excluded.headers, "
             "metadata = excluded.metadata",
             {container, std::string_view(key.name), static_cast<int64_t>(content),
              static_cast<int64_t>(size), nanos(info.created), nanos(info.modified),
              static_cast<int64_t>(info.etag), std::string_view(header_text),
              std::string_view(metadata_text)}));
  if (there) {
    TRY_VOID(tx.run("DELETE FROM committed_block WHERE container = ? AND blob = ?",
                    {container, std::string_view(key.name)}));
    TRY_VOID(objects_.release(tx, there->content));
  }
  TRY_VOID(drop_blocks(tx, container, key.name));
  return info;
}

Task<Result<Info>> Blobs::put_blob(BlobKey key, store::StagedContent content, Pairs headers,
                                   Pairs metadata, Conditions conditions) {
  auto work = [this, key, content, headers, metadata, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(const store::ContentId id, objects_.add(tx, content));
    return replace(tx, in.id, key, id, content.size, headers, metadata, conditions);
  };
  auto done = co_await database_.write(std::move(work));
  if (done && observer_) observer_(key);
  co_return done;
}

Task<Result<Info>> Blobs::blob(BlobKey key, Conditions conditions) {
  auto work = [key, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key.name));
    if (!there) return blob_not_found(key);
    TRY_VOID(check_read(conditions, there->info));
    return std::move(there->info);
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<void>> Blobs::may_replace(BlobKey key, Conditions conditions) {
  auto work = [key, conditions](Tx& tx) -> Result<void> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key.name));
    std::optional<Info> old;
    if (there) old = std::move(there->info);
    return check_write(conditions, old, Write::replace);
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<OpenBlob>> Blobs::open_blob(BlobKey key, Conditions conditions) {
  auto work = [this, key, conditions](Tx& tx) -> Result<OpenBlob> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key.name));
    if (!there) return blob_not_found(key);
    TRY_VOID(check_read(conditions, there->info));
    OpenBlob open;
    TRY(open.content, objects_.open(tx, there->content));
    open.info = std::move(there->info);
    return open;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<void>> Blobs::delete_blob(BlobKey key, Conditions conditions) {
  auto work = [this, key, conditions](Tx& tx) -> Result<void> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key.name));
    if (!there) return blob_not_found(key);
    TRY_VOID(check_write(conditions, there->info, Write::change));
    TRY_VOID(tx.run("DELETE FROM committed_block WHERE container = ? AND blob = ?",
                    {in.id, std::string_view(key.name)}));
    TRY_VOID(tx.run("DELETE FROM blob WHERE container = ? AND name = ?",
                    {in.id, std::string_view(key.name)}));
    return objects_.release(tx, there->content);
  };
  auto done = co_await database_.write(std::move(work));
  if (done && observer_) observer_(key);
  co_return done;
}

Task<Result<Info>> Blobs::set_properties(BlobKey key, std::optional<Pairs> headers,
                                         std::optional<Pairs> metadata, Conditions conditions) {
  auto work = [this, key, headers, metadata, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key.name));
    if (!there) return blob_not_found(key);
    TRY_VOID(check_write(conditions, there->info, Write::change));
    Info info = std::move(there->info);
    if (headers) info.headers = *headers;
    if (metadata) info.metadata = *metadata;
    info.modified = clock_.now();
    info.etag = next_etag();
    const std::string header_text = pairs_to_json(info.headers),
                      metadata_text = pairs_to_json(info.metadata);
    TRY_VOID(tx.run(
        "UPDATE blob SET headers = ?, metadata = ?, modified = ?, etag = ? WHERE container = ? AND "
        "name = ?",
        {std::string_view(header_text), std::string_view(metadata_text), nanos(info.modified),
         static_cast<int64_t>(info.etag), in.id, std::string_view(key.name)}));
    return info;
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::blob
