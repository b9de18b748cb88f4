// How long a blob is kept: when it is gone by itself, and until when nobody may change or delete
// it. What must be kept does not expire.
#pragma once

#include "blob/blobs.h"

namespace holdfast::blob {

// conflict "immutable_policy" or "immutable_hold" where the blob may not change now.
Result<void> check_mutable(const Info& info, WallTime now);

struct Expiry {
  enum From { never, now, creation, absolute } from = never;
  std::chrono::milliseconds after{};  // now or creation
  WallTime at;                        // absolute
};
// WallTime() for never. invalid_argument "invalid_expiry" where it is past, or further than times
// reach.
Result<WallTime> expiry_at(const Expiry& expiry, WallTime now, WallTime created);

// Common failures: those of Blobs.
class Retention {
 public:
  explicit Retention(Blobs& blobs) : blobs_(blobs) {}
  // Reasons of expiry_at() and check_mutable().
  Task<Result<Info>> set_expiry(BlobKey key, Expiry expiry, Conditions conditions);
  // A locked policy can only be set to a later time: conflict "policy_locked".
  Task<Result<Info>> set_policy(BlobKey key, Immutability::Mode mode, WallTime until,
                                Conditions conditions);
  // conflict "policy_delete_locked".
  Task<Result<Info>> delete_policy(BlobKey key);
  Task<Result<Info>> set_hold(BlobKey key, bool hold);
  // Deletes what has expired.
  Task<Result<void>> sweep();

 private:
  Task<Result<Info>> change(BlobKey key, Conditions conditions,
                            std::function<Result<void>(Info&)> apply);
  Blobs& blobs_;
};

}  // namespace holdfast::blob
