#include "blob/blobs.h"
#include "blob/rows.h"

namespace holdfast::blob {

using store::Tx;

Task<Result<Info>> Blobs::lease_blob(BlobKey key, LeaseRequest request, Conditions conditions) {
  auto work = [this, key, request, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key.name, clock_.now()));
    if (!there) return blob_not_found(key);
    TRY_VOID(check_write(conditions, there->info, Write::change));
    TRY(there->info.lease, apply(there->info.lease, request, clock_.now()));
    TRY_VOID(save_blob(tx, in.id, there->content, there->info));
    return std::move(there->info);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<Info>> Blobs::lease_container(std::string account, std::string name,
                                          LeaseRequest request, Conditions conditions) {
  auto work = [this, account, name, request, conditions](Tx& tx) -> Result<Info> {
    TRY(FoundContainer found, find_container(tx, account, name));
    TRY_VOID(check_write(conditions, found.info, Write::change));
    TRY(Lease lease, apply(found.info.lease, request, clock_.now()));
    TRY_VOID(
        tx.run("UPDATE container SET lease_id = ?, lease_seconds = ?, lease_until = ?, "
               "lease_breaking = ? WHERE id = ?",
               {std::string_view(lease.id), int64_t{lease.seconds}, nanos(lease.until),
                int64_t{lease.breaking}, found.id}));
    found.info.lease = std::move(lease);
    return std::move(found.info);
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::blob
