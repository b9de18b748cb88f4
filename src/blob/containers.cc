#include <algorithm>

#include "blob/blobs.h"
#include "blob/kept.h"
#include "blob/pending_rows.h"
#include "blob/retention.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;

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
    TRY_VOID(check_none_immutable(tx, found.id, clock_.now()));
    const std::chrono::seconds kept = settings(account).containers_kept;
    if (kept.count() == 0) return erase_container(tx, objects_, found.id);
    TRY_VOID(end_copies_into(tx, objects_, found.id, clock_.now()));
    return hide_container(tx, found, clock_.now(), clock_.now() + kept);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<std::string>> Blobs::service_properties(std::string account) {
  auto work = [account](Tx& tx) { return find_service_properties(tx, account); };
  co_return co_await database_.read(std::move(work));
}

Task<Result<void>> Blobs::change_service_properties(
    std::string account, std::function<Result<ServiceDocument>(const std::string&)> change) {
  auto work = [account, change](Tx& tx) -> Result<void> {
    TRY(const std::string present, find_service_properties(tx, account));
    TRY(const ServiceDocument document, change(present));
    const auto days = std::chrono::duration_cast<std::chrono::days>(document.kept).count();
    TRY_VOID(tx.run(
        "INSERT OR REPLACE INTO service_properties(account, document, kept_days, permanent_delete) "
        "VALUES(?, ?, ?, ?)",
        {std::string_view(account), std::string_view(document.text), int64_t{days},
         int64_t{document.permanent_delete}}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::blob
