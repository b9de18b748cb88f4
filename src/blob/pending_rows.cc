#include "blob/pending_rows.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;

Result<std::optional<PendingCopy>> find_where(Tx& tx, const std::string& where,
                                              std::initializer_list<store::Value> values) {
  std::optional<PendingCopy> found;
  TRY_VOID(
      tx.each("SELECT id, container, blob, url, headers, etag, modified, sums, size, done, moved, "
              "(SELECT count(*) FROM pending_copy_part WHERE copy = id) FROM pending_copy WHERE " +
                  where,
              values, [&](const Row& row) {
                found.emplace();
                found->id = std::string(row.text(0));
                found->container = row.integer(1);
                found->blob = std::string(row.text(2));
                found->url = std::string(row.text(3));
                found->headers = pairs_from_json(row.text(4));
                found->etag = std::string(row.text(5));
                found->modified = std::string(row.text(6));
                found->sums = pairs_from_json(row.text(7));
                found->size = static_cast<uint64_t>(row.integer(8));
                found->done = static_cast<uint64_t>(row.integer(9));
                found->moved = WallTime(std::chrono::nanoseconds(row.integer(10)));
                found->parts = row.integer(11);
                return false;
              }));
  return found;
}

}  // namespace

Result<std::optional<PendingCopy>> find_copy(Tx& tx, std::string_view id) {
  return find_where(tx, "id = ?", {id});
}

Result<std::optional<PendingCopy>> find_copy_to(Tx& tx, int64_t container, std::string_view blob) {
  return find_where(tx, "container = ? AND blob = ?", {container, blob});
}

Result<void> save_copy(Tx& tx, const PendingCopy& copy, WallTime now) {
  const std::string headers = pairs_to_json(copy.headers), sums = pairs_to_json(copy.sums);
  TRY_VOID(
      tx.run("INSERT INTO pending_copy VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
             {std::string_view(copy.id), copy.container, std::string_view(copy.blob),
              std::string_view(copy.url), std::string_view(headers), std::string_view(copy.etag),
              std::string_view(copy.modified), std::string_view(sums),
              static_cast<int64_t>(copy.size), nanos(now), nanos(now)}));
  return {};
}

Result<std::vector<store::ContentId>> parts_of(Tx& tx, std::string_view id) {
  std::vector<store::ContentId> parts;
  TRY_VOID(tx.each("SELECT content FROM pending_copy_part WHERE copy = ? ORDER BY seq", {id},
                   [&](const Row& row) {
                     parts.push_back(static_cast<store::ContentId>(row.integer(0)));
                     return true;
                   }));
  return parts;
}

Result<void> say_of_copy(Tx& tx, const PendingCopy& copy, const Pairs& said) {
  const std::string_view name = copy.blob;
  Pairs pairs;
  TRY_VOID(tx.each("SELECT copy FROM blob WHERE container = ? AND name = ?", {copy.container, name},
                   [&](const Row& row) {
                     pairs = pairs_from_json(row.text(0));
                     return false;
                   }));
  for (const auto& [key, value] : said) {
    std::erase_if(pairs, [&](const auto& pair) { return pair.first == key; });
    pairs.emplace_back(key, value);
  }
  const std::string text = pairs_to_json(pairs);
  TRY_VOID(tx.run("UPDATE blob SET copy = ? WHERE container = ? AND name = ?",
                  {std::string_view(text), copy.container, name}));
  return {};
}

Result<void> drop_copy(Tx& tx, store::ObjectStore& objects, std::string_view id) {
  TRY(const auto parts, parts_of(tx, id));
  TRY_VOID(tx.run("DELETE FROM pending_copy_part WHERE copy = ?", {id}));
  for (const store::ContentId part : parts) TRY_VOID(objects.release(tx, part));
  TRY_VOID(tx.run("DELETE FROM pending_copy WHERE id = ?", {id}));
  return {};
}

Result<void> end_copy(Tx& tx, store::ObjectStore& objects, const PendingCopy& copy,
                      std::string_view status, std::string_view why, WallTime now) {
  Pairs said = {{"status", std::string(status)}, {"completed", format_http_date(now)}};
  if (!why.empty()) said.emplace_back("description", why);
  TRY_VOID(say_of_copy(tx, copy, said));
  return drop_copy(tx, objects, copy.id);
}

Result<void> end_copies_into(Tx& tx, store::ObjectStore& objects, int64_t container, WallTime now) {
  std::vector<std::string> ids;
  TRY_VOID(
      tx.each("SELECT id FROM pending_copy WHERE container = ?", {container}, [&](const Row& row) {
        ids.emplace_back(row.text(0));
        return true;
      }));
  for (const std::string& id : ids) {
    TRY(const auto copy, find_copy(tx, id));
    if (copy) TRY_VOID(end_copy(tx, objects, *copy, "failed", "the container was deleted", now));
  }
  return {};
}

}  // namespace holdfast::blob
