#include <algorithm>

#include "blob/blobs.h"
#include "blob/rows.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;

constexpr auto kWeek = std::chrono::hours(7 * 24);

struct BlockRow {
  int64_t container;
  std::string blob, id;
  int64_t content;
};

Result<std::string> find_service_properties(Tx& tx, std::string_view account) {
  std::string document;
  TRY_VOID(tx.each("SELECT document FROM service_properties WHERE account = ?", {account},
                   [&](const Row& row) {
                     document = std::string(row.text(0));
                     return false;
                   }));
  return document;
}

}  // namespace

Task<Result<Info>> Blobs::create_container(std::string account, std::string name, Pairs metadata,
                                           std::string access) {
  Info info;
  info.access = std::move(access);
  info.name = name;
  info.created = info.modified = clock_.now();
  info.etag = next_etag();
  info.metadata = std::move(metadata);
  auto work = [account, info](Tx& tx) -> Result<Info> {
    const std::string text = pairs_to_json(info.metadata);
    auto made = tx.run(
        "INSERT INTO container(account, name, modified, etag, metadata, access) VALUES(?, ?, ?, ?, "
        "?, ?)",
        {std::string_view(account), std::string_view(info.name), nanos(info.modified),
         static_cast<int64_t>(info.etag), std::string_view(text), std::string_view(info.access)});
    if (!made && made.error().code() == Code::conflict)
      return fail(Code::conflict, "container_exists", "The specified container already exists.");
    if (!made) return std::unexpected(made.error());
    return info;
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<Info>> Blobs::container(std::string account, std::string name, std::string lease_id) {
  auto work = [this, account, name, lease_id](Tx& tx) -> Result<Info> {
    TRY(FoundContainer found, find_container(tx, account, name));
    TRY_VOID(may_read(found.info.lease, lease_id, clock_.now(), Leased::container));
    return found.info;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Info>> Blobs::set_container_metadata(std::string account, std::string name,
                                                 Pairs metadata, Conditions conditions) {
  auto work = [this, account, name, metadata, conditions](Tx& tx) -> Result<Info> {
    TRY(FoundContainer found, find_container(tx, account, name));
    TRY_VOID(check_write(conditions, found.info, Write::change));
    TRY_VOID(may_read(found.info.lease, conditions.lease_id, clock_.now(), Leased::container));
    found.info.metadata = metadata;
    found.info.modified = clock_.now();
    found.info.etag = next_etag();
    const std::string text = pairs_to_json(metadata);
    TRY_VOID(tx.run("UPDATE container SET metadata = ?, modified = ?, etag = ? WHERE id = ?",
                    {std::string_view(text), nanos(found.info.modified),
                     static_cast<int64_t>(found.info.etag), found.id}));
    return found.info;
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Blobs::delete_container(std::string account, std::string name,
                                           Conditions conditions) {
  auto work = [this, account, name, conditions](Tx& tx) -> Result<void> {
    TRY(const FoundContainer found, find_container(tx, account, name));
    TRY_VOID(check_write(conditions, found.info, Write::change));
    TRY_VOID(may_write(found.info.lease, conditions.lease_id, clock_.now(), Leased::container));
    std::vector<int64_t> contents;
    const auto collect = [&](const Row& row) {
      contents.push_back(row.integer(0));
      return true;
    };
    TRY_VOID(tx.each("SELECT content FROM blob WHERE container = ?", {found.id}, collect));
    TRY_VOID(
        tx.each("SELECT content FROM uncommitted_block WHERE container = ?", {found.id}, collect));
    for (int64_t content : contents)
      TRY_VOID(objects_.release(tx, static_cast<store::ContentId>(content)));
    for (const char* sql :
         {"DELETE FROM committed_block WHERE container = ?",
          "DELETE FROM uncommitted_block WHERE container = ?",
          "DELETE FROM append_part WHERE container = ?",
          "DELETE FROM access_policy WHERE container = ?", "DELETE FROM blob WHERE container = ?",
          "DELETE FROM container WHERE id = ?"}) {
      TRY_VOID(tx.run(sql, {found.id}));
    }
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<Page>> Blobs::list_containers(std::string account, ListQuery query) {
  auto work = [account, query](Tx& tx) -> Result<Page> {
    Page page;
    TRY_VOID(
        tx.each("SELECT name, modified, etag, metadata, lease_id, lease_seconds, lease_until, "
                "lease_breaking, access FROM container WHERE account = ? AND name >= ? ORDER BY "
                "name",
                {std::string_view(account), std::string_view(std::max(query.prefix, query.marker))},
                [&](const Row& row) {
                  if (!row.text(0).starts_with(query.prefix)) return false;
                  if (page.items.size() == query.limit) {
                    page.next = std::string(row.text(0));
                    return false;
                  }
                  Info info;
                  info.name = std::string(row.text(0));
                  info.modified = WallTime(std::chrono::nanoseconds(row.integer(1)));
                  info.etag = static_cast<uint64_t>(row.integer(2));
                  info.metadata = pairs_from_json(row.text(3));
                  info.lease = lease_in(row, 4);
                  info.access = std::string(row.text(8));
                  page.items.push_back(std::move(info));
                  return true;
                }));
    return page;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Page>> Blobs::list_blobs(std::string account, std::string container, ListQuery query) {
  auto work = [account, container, query](Tx& tx) -> Result<Page> {
    TRY(const FoundContainer in, find_container(tx, account, container));
    Page page;
    std::string from = std::max(query.prefix, query.marker);
    // Each round walks the index until a common prefix begins, then jumps behind all names under
    // it.
    for (bool more = true; more;) {
      more = false;
      std::string jump;
      TRY_VOID(tx.each("SELECT " + std::string(kBlobColumns) +
                           " FROM blob WHERE container = ? AND name >= ? ORDER BY name",
                       {in.id, std::string_view(from)}, [&](const Row& row) {
                         const std::string_view name = row.text(0);
                         if (!name.starts_with(query.prefix)) return false;
                         if (page.items.size() + page.prefixes.size() == query.limit) {
                           page.next = std::string(name);
                           return false;
                         }
                         const size_t cut = query.delimiter.empty()
                                                ? std::string_view::npos
                                                : name.find(query.delimiter, query.prefix.size());
                         if (cut != std::string_view::npos) {
                           page.prefixes.emplace_back(name.substr(0, cut + query.delimiter.size()));
                           jump = after_prefix(page.prefixes.back());
                           return false;
                         }
                         page.items.push_back(blob_info(row));
                         return true;
                       }));
      if (!jump.empty()) {
        from = std::move(jump);
        more = true;
      }
    }
    return page;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::string>> Blobs::service_properties(std::string account) {
  auto work = [account](Tx& tx) { return find_service_properties(tx, account); };
  co_return co_await database_.read(std::move(work));
}

Task<Result<void>> Blobs::change_service_properties(
    std::string account, std::function<Result<std::string>(const std::string&)> change) {
  auto work = [account, change](Tx& tx) -> Result<void> {
    TRY(const std::string present, find_service_properties(tx, account));
    TRY(const std::string document, change(present));
    TRY_VOID(tx.run("INSERT OR REPLACE INTO service_properties VALUES(?, ?)",
                    {std::string_view(account), std::string_view(document)}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Blobs::sweep() {
  const int64_t before = nanos(clock_.now() - kWeek);
  // In groups, so that other writers get their turn.
  auto drop = [this, before](Tx& tx) -> Result<size_t> {
    std::vector<BlockRow> old;
    TRY_VOID(tx.each(
        "SELECT container, blob, id, content FROM uncommitted_block WHERE created < ? LIMIT 500",
        {before}, [&](const Row& row) {
          old.push_back(BlockRow{row.integer(0), std::string(row.text(1)), std::string(row.text(2)),
                                 row.integer(3)});
          return true;
        }));
    for (const BlockRow& block : old) {
      TRY_VOID(tx.run("DELETE FROM uncommitted_block WHERE container = ? AND blob = ? AND id = ?",
                      {block.container, std::string_view(block.blob), std::string_view(block.id)}));
      TRY_VOID(objects_.release(tx, static_cast<store::ContentId>(block.content)));
    }
    return old.size();
  };
  auto any = [before](Tx& tx) -> Result<bool> {
    bool found = false;
    TRY_VOID(tx.each("SELECT 1 FROM uncommitted_block WHERE created < ? LIMIT 1", {before},
                     [&](const Row&) { return !(found = true); }));
    return found;
  };
  for (;;) {
    CO_TRY(const bool more, co_await database_.read(any));  // a sweep of nothing writes nothing
    if (!more) break;
    CO_TRY_VOID(co_await database_.write(drop));
  }
  CO_TRY_VOID(co_await objects_.sweep());
  co_return Result<void>();
}

}  // namespace holdfast::blob
