// Identities and twins as rows. For this module's .cc files; only inside a transaction.
#pragma once

#include "iot/types.h"
#include "store/database/database.h"

namespace holdfast::iot {

inline int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}
inline WallTime from_nanos(int64_t value) {
  return WallTime(std::chrono::nanoseconds(value));
}

std::string new_etag();  // unlike any other
std::string new_key();   // 32 random bytes, base64

Identity identity_of(const store::Row& row);
inline constexpr std::string_view kIdentityColumns =
    "device, module, generation, etag, created, enabled, status_reason, status_changed, key1, "
    "key2, "
    "edge, managed_by";
Result<void> insert_identity(store::Tx& tx, const Identity& identity,
                             WallTime now);  // and its twin
Result<void> update_identity(store::Tx& tx, const Identity& identity);
// False where it is not there.
Result<bool> delete_identity(store::Tx& tx, const Address& address);

Result<Twin> read_twin(store::Tx& tx, const Address& address);  // not_found
Result<void> write_twin(store::Tx& tx, const Twin& twin);

// precondition_failed (etag) where the condition is there and does not hold.
Result<void> check_etag(const IfMatch& condition, std::string_view etag);
std::unexpected<Error> no_identity(const Address& address);

}  // namespace holdfast::iot
