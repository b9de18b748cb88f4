#include "registry/incoming.h"
#include "registry/registry.h"
#include "registry/rows.h"
#include "registry/sql_registry_sql.h"

namespace holdfast::registry {

using store::Row;
using store::Tx;

namespace {

constexpr int64_t kGroup = 200;  // rows of a sweep's transaction

}  // namespace

Result<std::unique_ptr<Registry>> Registry::open(store::Database& database,
                                                 store::ObjectStore& objects, const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_registry_sql}};
  TRY_VOID(database.migrate("registry", migrations));
  return std::unique_ptr<Registry>(new Registry(database, objects, clock));
}

Task<Result<OpenBlob>> Registry::open_blob(std::string repository, oci::Digest digest) {
  bool free = false;
  auto work = [this, repository, digest, &free](Tx& tx) -> Result<OpenBlob> {
    TRY(const int64_t in, find_repository(tx, repository));
    TRY(const auto member, find_member(tx, in, digest));
    if (!member) return blob_unknown(digest);
    OpenBlob open;
    open.size = member->blob.size;
    TRY(open.content, objects_.open(tx, member->blob.content));
    free = member->used == 0;
    return open;
  };
  CO_TRY(OpenBlob open, co_await database_.read(std::move(work)));
  if (free) {  // who asks for it may be about to push a manifest that needs it
    auto touch = [repository, digest, now = nanos(clock_.now())](Tx& tx) -> Result<void> {
      TRY(const int64_t in, find_repository(tx, repository));
      TRY(const auto member, find_member(tx, in, digest));
      if (!member) return blob_unknown(digest);
      return touch_member(tx, in, digest, now);
    };
    CO_TRY_VOID(co_await database_.write(std::move(touch)));
  }
  co_return open;
}

Task<Result<void>> Registry::put_blob(std::string repository, oci::Digest digest,
                                      ByteSource& bytes) {
  CO_TRY_VOID(oci::check_name(repository));
  oci::DigestHasher hasher(digest.kind());
  CO_TRY(auto writer, co_await objects_.create(std::nullopt));
  CO_TRY_VOID(co_await stream_in(bytes, &hasher, *writer));
  CO_TRY_VOID(check_digest(hasher, digest));
  CO_TRY(const store::StagedContent staged, co_await writer->finish());
  auto work = [this, repository, digest, staged,
               now = nanos(clock_.now())](Tx& tx) -> Result<void> {
    TRY(const int64_t in, make_repository(tx, repository));
    TRY(const store::ContentId content, objects_.add(tx, staged));
    return add_blob(tx, objects_, in, digest, content, staged.size, now);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<bool>> Registry::mount_blob(std::string repository, oci::Digest digest,
                                        std::string from) {
  CO_TRY_VOID(oci::check_name(repository));
  auto work = [repository, digest, from, now = nanos(clock_.now())](Tx& tx) -> Result<bool> {
    bool there = false;
    if (from.empty()) {
      TRY(const auto blob, find_blob(tx, digest));
      there = blob.has_value();
    } else if (const auto source = find_repository(tx, from)) {
      TRY(const auto member, find_member(tx, *source, digest));
      there = member.has_value();
    }
    if (!there) return false;
    TRY(const int64_t in, make_repository(tx, repository));
    TRY_VOID(touch_member(tx, in, digest, now));
    return true;
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Registry::delete_blob(std::string repository, oci::Digest digest) {
  auto work = [this, repository, digest](Tx& tx) -> Result<void> {
    TRY(const int64_t in, find_repository(tx, repository));
    TRY(const auto member, find_member(tx, in, digest));
    if (!member) return blob_unknown(digest);
    if (member->used > 0)
      return fail(Code::unsupported, "blob_in_use",
                  "a manifest needs the blob " + digest.str() + "; delete that first");
    return drop_member(tx, objects_, in, digest.str());
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Registry::sweep() {
  for (bool more = true; more;) {
    const WallTime now = clock_.now();
    auto work = [this, uploads = nanos(now - kUploadLife),
                 blobs = nanos(now - kBlobGrace)](Tx& tx) -> Result<bool> {
      std::vector<std::string> old;
      TRY_VOID(tx.each("SELECT id FROM registry_upload WHERE touched < ? LIMIT ?",
                       {uploads, kGroup}, [&](const Row& row) {
                         old.emplace_back(row.text(0));
                         return true;
                       }));
      for (const std::string& upload : old) TRY_VOID(drop_upload(tx, objects_, upload));
      std::vector<std::pair<int64_t, std::string>> free;
      TRY_VOID(
          tx.each("SELECT repository, digest FROM registry_member WHERE used = 0 AND "
                  "touched < ? LIMIT ?",
                  {blobs, kGroup}, [&](const Row& row) {
                    free.emplace_back(row.integer(0), row.text(1));
                    return true;
                  }));
      for (const auto& [in, digest] : free) TRY_VOID(drop_member(tx, objects_, in, digest));
      const bool full = old.size() == kGroup || free.size() == kGroup;
      if (full) return true;
      TRY_VOID(
          tx.run("DELETE FROM registry_repository WHERE "
                 "NOT EXISTS (SELECT 1 FROM registry_manifest WHERE repository = id) AND "
                 "NOT EXISTS (SELECT 1 FROM registry_member WHERE repository = id) AND "
                 "id NOT IN (SELECT repository FROM registry_upload)"));
      return false;
    };
    CO_TRY(more, co_await database_.write(std::move(work)));
  }
  co_return Result<void>();
}

}  // namespace holdfast::registry
