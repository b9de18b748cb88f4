// Rows of the registry's tables. For registry/*.cc alone; inside the caller's transaction.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"
#include "oci/digest.h"
#include "store/objects/object_store.h"

namespace holdfast::registry {

int64_t nanos(WallTime time);

// not_found "name_unknown".
Result<int64_t> find_repository(store::Tx& tx, std::string_view name);
Result<int64_t> make_repository(store::Tx& tx, std::string_view name);

struct BlobRow {
  store::ContentId content{};
  uint64_t size = 0;
};
// Of any repository.
Result<std::optional<BlobRow>> find_blob(store::Tx& tx, const oci::Digest& digest);
// The blob as one of this repository; nullopt where it is not.
struct MemberRow {
  BlobRow blob;
  int64_t used = 0;
};
Result<std::optional<MemberRow>> find_member(store::Tx& tx, int64_t repository,
                                             const oci::Digest& digest);
// Makes the (existing) blob a member, or notes that it was asked for.
Result<void> touch_member(store::Tx& tx, int64_t repository, const oci::Digest& digest,
                          int64_t now);
// The member goes, and the content with the last of them.
Result<void> drop_member(store::Tx& tx, store::ObjectStore& objects, int64_t repository,
                         std::string_view digest);

std::unexpected<Error> blob_unknown(const oci::Digest& digest);

}  // namespace holdfast::registry
