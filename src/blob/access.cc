#include "blob/blobs.h"
#include "blob/rows.h"

namespace holdfast::blob {

using store::Row;
using store::Tx;

Task<Result<Access>> Blobs::container_access(std::string account, std::string name,
                                             std::string lease_id) {
  auto work = [this, account, name, lease_id](Tx& tx) -> Result<Access> {
    TRY(FoundContainer found, find_container(tx, account, name));
    TRY_VOID(may_read(found.info.lease, lease_id, clock_.now(), Leased::container));
    Access access;
    access.container = std::move(found.info);
    TRY_VOID(tx.each(
        "SELECT id, start, expiry, permissions FROM access_policy WHERE container = ? ORDER BY seq",
        {found.id}, [&](const Row& row) {
          access.policies.push_back(Policy{std::string(row.text(0)), std::string(row.text(1)),
                                           std::string(row.text(2)), std::string(row.text(3))});
          return true;
        }));
    return access;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Info>> Blobs::set_container_access(std::string account, std::string name,
                                               std::string level, std::vector<Policy> policies,
                                               Conditions conditions) {
  auto work = [this, account, name, level, policies, conditions](Tx& tx) -> Result<Info> {
    TRY(FoundContainer found, find_container(tx, account, name));
    TRY_VOID(check_write(conditions, found.info, Write::change));
    TRY_VOID(may_read(found.info.lease, conditions.lease_id, clock_.now(), Leased::container));
    found.info.access = level;
    found.info.modified = clock_.now();
    found.info.etag = next_etag();
    TRY_VOID(tx.run("UPDATE container SET access = ?, modified = ?, etag = ? WHERE id = ?",
                    {std::string_view(level), nanos(found.info.modified),
                     static_cast<int64_t>(found.info.etag), found.id}));
    TRY_VOID(tx.run("DELETE FROM access_policy WHERE container = ?", {found.id}));
    int64_t seq = 0;
    for (const Policy& policy : policies)
      TRY_VOID(tx.run("INSERT INTO access_policy VALUES(?, ?, ?, ?, ?, ?)",
                      {found.id, seq++, std::string_view(policy.id), std::string_view(policy.start),
                       std::string_view(policy.expiry), std::string_view(policy.permissions)}));
    return std::move(found.info);
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::blob
