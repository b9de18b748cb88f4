// Rows of pending copies as plain types. For blob/*.cc alone.
#pragma once

#include "blob/rows.h"

namespace holdfast::blob {

struct PendingCopy {
  std::string id;
  int64_t container = 0;
  std::string blob, url;
  Pairs headers;
  std::string etag, modified;
  Pairs sums;
  uint64_t size = 0, done = 0;
  WallTime moved;
  int64_t parts = 0;
};
Result<std::optional<PendingCopy>> find_copy(store::Tx& tx, std::string_view id);
// The one that is under way to this blob.
Result<std::optional<PendingCopy>> find_copy_to(store::Tx& tx, int64_t container,
                                                std::string_view blob);
Result<void> save_copy(store::Tx& tx, const PendingCopy& copy, WallTime now);
// Contents of the parts, in order.
Result<std::vector<store::ContentId>> parts_of(store::Tx& tx, std::string_view id);

// In the blob's row alone.
Result<void> say_of_copy(store::Tx& tx, const PendingCopy& copy, const Pairs& said);
// The rows of the copy, and what it holds of contents.
Result<void> drop_copy(store::Tx& tx, store::ObjectStore& objects, std::string_view id);
// With what becomes of it: "success", "failed" or "aborted". The blob's content stays as it is.
Result<void> end_copy(store::Tx& tx, store::ObjectStore& objects, const PendingCopy& copy,
                      std::string_view status, std::string_view why, WallTime now);
// Those to the blobs of a container that is deleted.
Result<void> end_copies_into(store::Tx& tx, store::ObjectStore& objects, int64_t container,
                             WallTime now);

}  // namespace holdfast::blob
