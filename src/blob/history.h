// The history of blobs: snapshots, previous versions, and what soft delete keeps. What is kept
// holds its content as the blob itself does, and is read by a BlobKey that names its time.
#pragma once

#include "blob/blobs.h"

namespace holdfast::blob {

struct Removal {
  // What becomes of a blob's snapshots: it has none, they go with it, they alone go.
  enum Snapshots { none, include, only } snapshots = none;
  bool permanent = false;  // of what is softly deleted already
};

// Common failures: those of Blobs. Any thread.
class History {
 public:
  explicit History(Blobs& blobs) : blobs_(blobs) {}
  // `metadata` nullopt: the blob's own. The snapshot.
  Task<Result<Info>> snapshot(BlobKey key, std::optional<Pairs> metadata, Conditions conditions);
  // A blob, or the one snapshot or version that the key names; false where soft delete keeps it.
  // conflict "snapshots_present", "not_soft_deleted", "permanent_delete_disabled"; denied
  // "current_version".
  Task<Result<bool>> remove(BlobKey key, Conditions conditions, Removal removal);
  // What is softly deleted of this name is there again.
  Task<Result<void>> undelete(BlobKey key);
  // The deleted container `from` as `to`. not_found "container_not_found"; conflict
  // "container_exists".
  Task<Result<Info>> restore_container(std::string account, std::string to, std::string from,
                                       WallTime deleted);

 private:
  Result<bool> remove_kept(store::Tx& tx, const BlobKey& key, const Conditions& conditions,
                           const Removal& removal);
  Result<bool> remove_blob(store::Tx& tx, const BlobKey& key, const Conditions& conditions,
                           Removal::Snapshots snapshots);

  Blobs& blobs_;
};

}  // namespace holdfast::blob
