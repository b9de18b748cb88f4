// Events of what happens to blobs, written with the change. For blob/*.cc alone.
#pragma once

#include "blob/blobs.h"

namespace holdfast::blob {

struct Change {
  // Those after `tier_changed` are for the change feed alone.
  enum Kind { created, deleted, tier_changed, properties, snapshot_made, snapshot_deleted } kind;
  std::string_view api;          // the operation, as Azure names it
  const Info* before = nullptr;  // what the blob was; null: there was none, or it is not told
};

// Nothing where nobody listens to the account. `info` is the blob after the change, or what was
// deleted.
Result<void> tell(store::Tx& tx, const Blobs& blobs, const BlobKey& at, const Change& change,
                  const Info& info, const Conditions& conditions);

}  // namespace holdfast::blob
