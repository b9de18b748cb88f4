#include "registry/rows.h"

namespace holdfast::registry {

using store::Row;
using store::Tx;

int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}

Result<int64_t> find_repository(Tx& tx, std::string_view name) {
  std::optional<int64_t> id;
  TRY_VOID(tx.each("SELECT id FROM registry_repository WHERE name = ?", {name},
                   [&](const Row& row) { return id = row.integer(0), false; }));
  if (!id)
    return fail(Code::not_found, "name_unknown",
                "there is no repository '" + std::string(name) + "'");
  return *id;
}

Result<int64_t> make_repository(Tx& tx, std::string_view name) {
  TRY_VOID(
      tx.run("INSERT INTO registry_repository(name) VALUES(?) ON CONFLICT DO NOTHING", {name}));
  return find_repository(tx, name);
}

Result<std::optional<BlobRow>> find_blob(Tx& tx, const oci::Digest& digest) {
  std::optional<BlobRow> found;
  TRY_VOID(tx.each("SELECT content, size FROM registry_blob WHERE digest = ?",
                   {std::string_view(digest.str())}, [&](const Row& row) {
                     found = BlobRow{static_cast<store::ContentId>(row.integer(0)),
                                     static_cast<uint64_t>(row.integer(1))};
                     return false;
                   }));
  return found;
}

Result<std::optional<MemberRow>> find_member(Tx& tx, int64_t repository,
                                             const oci::Digest& digest) {
  std::optional<MemberRow> found;
  TRY_VOID(
      tx.each("SELECT content, size, used FROM registry_member JOIN registry_blob USING(digest) "
              "WHERE repository = ? AND digest = ?",
              {repository, std::string_view(digest.str())}, [&](const Row& row) {
                found = MemberRow{BlobRow{static_cast<store::ContentId>(row.integer(0)),
                                          static_cast<uint64_t>(row.integer(1))},
                                  row.integer(2)};
                return false;
              }));
  return found;
}

Result<void> touch_member(Tx& tx, int64_t repository, const oci::Digest& digest, int64_t now) {
  TRY_VOID(
      tx.run("INSERT INTO registry_member(repository, digest, touched) VALUES(?, ?, ?) "
             "ON CONFLICT(repository, digest) DO UPDATE SET touched = excluded.touched",
             {repository, std::string_view(digest.str()), now}));
  return {};
}

Result<void> drop_member(Tx& tx, store::ObjectStore& objects, int64_t repository,
                         std::string_view digest) {
  TRY_VOID(tx.run("DELETE FROM registry_member WHERE repository = ? AND digest = ?",
                  {repository, digest}));
  std::optional<store::ContentId> last;
  TRY_VOID(
      tx.each("SELECT content FROM registry_blob WHERE digest = ?1 AND NOT EXISTS "
              "(SELECT 1 FROM registry_member WHERE digest = ?1)",
              {digest}, [&](const Row& row) {
                last = static_cast<store::ContentId>(row.integer(0));
                return false;
              }));
  if (!last) return {};
  TRY_VOID(tx.run("DELETE FROM registry_blob WHERE digest = ?", {digest}));
  return objects.release(tx, *last);
}

std::unexpected<Error> blob_unknown(const oci::Digest& digest) {
  return fail(Code::not_found, "blob_unknown", "there is no blob " + digest.str());
}

}  // namespace holdfast::registry
