// Access tiers of blobs. The archive's bytes stay where they are, but nobody is given any until the
// blob has been rehydrated: put into another tier, which takes its time.
#pragma once

#include "blob/blobs.h"

namespace holdfast::blob {

inline constexpr std::string_view kArchive = "Archive";

// conflict "blob_archived" where the blob is neither read nor changed now.
Result<void> check_online(const Info& info);
// From now on it is on its way to this tier, which is none of the archive.
Result<void> begin_rehydration(store::Tx& tx, int64_t container, Info& info, Rehydration wanted,
                               WallTime due);
// What is under way of an archived blob, into its info.
Result<void> note_rehydration(store::Tx& tx, int64_t container, Info& info);

// Common failures: those of Blobs. Any thread.
class Tiers {
 public:
  explicit Tiers(Blobs& blobs) : blobs_(blobs) {}
  // Of a block blob. One of the archive is not in the tier when this returns, but on its way
  // there: Info::rehydration says so. A standard one takes as long as the account's settings say, a
  // high one is next; asked for again with `high`, it becomes one. conflict "blob_rehydrating":
  // towards another tier; "blob_archived": snapshots and versions do not come back, they are
  // copied.
  Task<Result<Info>> set(BlobKey key, std::string tier, Conditions conditions, bool high = false);
  // Ends what is due; how many those were.
  Task<Result<size_t>> pass();
  // A pass every two seconds, until its task is cancelled.
  Task<void> run();

 private:
  Blobs& blobs_;
};

}  // namespace holdfast::blob
