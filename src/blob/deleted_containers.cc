#include "blob/history.h"
#include "blob/kept.h"
#include "blob/pending_rows.h"

namespace holdfast::blob {

using store::Row;
using store::Tx;

Result<void> erase_container(Tx& tx, store::ObjectStore& objects, int64_t id) {
  TRY_VOID(end_copies_into(tx, objects, id, WallTime()));
  std::vector<int64_t> contents;
  for (const char* sql : {"SELECT content FROM blob WHERE container = ?",
                          "SELECT content FROM blob_history WHERE container = ?",
                          "SELECT content FROM uncommitted_block WHERE container = ?"}) {
    TRY_VOID(tx.each(sql, {id}, [&](const Row& row) {
      contents.push_back(row.integer(0));
      return true;
    }));
  }
  for (const int64_t content : contents)
    TRY_VOID(objects.release(tx, static_cast<store::ContentId>(content)));
  for (const char* sql :
       {"DELETE FROM committed_block WHERE container = ?",
        "DELETE FROM uncommitted_block WHERE container = ?",
        "DELETE FROM append_part WHERE container = ?",
        "DELETE FROM history_block WHERE container = ?",
        "DELETE FROM history_part WHERE container = ?",
        "DELETE FROM blob_history WHERE container = ?",
        "DELETE FROM access_policy WHERE container = ?", "DELETE FROM blob WHERE container = ?",
        "DELETE FROM deleted_container WHERE id = ?", "DELETE FROM container WHERE id = ?"}) {
    TRY_VOID(tx.run(sql, {id}));
  }
  return {};
}

namespace {

// An index by account holds the tags too.
Result<void> rename_container(Tx& tx, int64_t id, std::string_view account, std::string_view name) {
  TRY_VOID(tx.run("UPDATE container SET account = ?, name = ? WHERE id = ?", {account, name, id}));
  TRY_VOID(tx.run("UPDATE blob_tag SET account = ? WHERE container = ?", {account, id}));
  return {};
}

}  // namespace

Result<void> hide_container(Tx& tx, const FoundContainer& container, WallTime now,
                            WallTime expires) {
  // One name may be deleted more than once, even at one moment of a coarse clock.
  int64_t at = nanos(now);
  TRY_VOID(tx.each("SELECT max(at) FROM deleted_container WHERE account = ? AND name = ?",
                   {std::string_view(container.account), std::string_view(container.info.name)},
                   [&](const Row& row) {
                     if (!row.is_null(0)) at = std::max(at, row.integer(0) + 1);
                     return false;
                   }));
  TRY_VOID(tx.run("INSERT INTO deleted_container VALUES(?, ?, ?, ?, ?)",
                  {container.id, std::string_view(container.account),
                   std::string_view(container.info.name), at, nanos(expires)}));
  TRY_VOID(tx.run(
      "UPDATE container SET lease_id = '', lease_seconds = 0, lease_until = 0, lease_breaking = 0 "
      "WHERE id = ?",
      {container.id}));
  return rename_container(tx, container.id, "", std::to_string(container.id));
}

Task<Result<Info>> History::restore_container(std::string account, std::string to, std::string from,
                                              WallTime deleted) {
  auto work = [account, to, from, deleted](Tx& tx) -> Result<Info> {
    int64_t id = 0;
    TRY_VOID(tx.each("SELECT id FROM deleted_container WHERE account = ? AND name = ? AND at = ?",
                     {std::string_view(account), std::string_view(from), nanos(deleted)},
                     [&](const Row& row) {
                       id = row.integer(0);
                       return false;
                     }));
    if (id == 0)
      return fail(Code::not_found, "container_not_found",
                  "there is no deleted container '" + from + "' of this version");
    const auto there = find_container(tx, account, to);
    if (there)
      return fail(Code::conflict, "container_exists", "The specified container already exists.");
    if (there.error().code() != Code::not_found) return std::unexpected(there.error());
    TRY_VOID(tx.run("DELETE FROM deleted_container WHERE id = ?", {id}));
    TRY_VOID(rename_container(tx, id, account, to));
    TRY(FoundContainer found, find_container(tx, account, to));
    return std::move(found.info);
  };
  co_return co_await blobs_.database_.write(std::move(work));
}

}  // namespace holdfast::blob
