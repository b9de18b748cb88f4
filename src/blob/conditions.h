// The caller's conditions on what there is.
#pragma once

#include <memory>

#include "base/result.h"
#include "blob/tag_filter.h"
#include "blob/types.h"

namespace holdfast::blob {

// The request that asked, for events about what it did.
struct Asked {
  std::string request_id, client_request_id;
};

// An ETag is a value or kAny ("*").
struct Conditions {
  static constexpr uint64_t kAny = 0;
  std::optional<uint64_t> if_match, if_none_match;
  std::optional<WallTime> if_modified_since, if_unmodified_since;
  std::shared_ptr<const TagFilter> if_tags;  // what is not there has none
  std::string lease_id;                      // "": none was named
  bool create_only = false;            // the credential may make a blob, but not overwrite one
  std::shared_ptr<const Asked> asked;  // null: nobody outside
  bool untold = false;                 // no event tells of it
};

enum class Write { replace, change };  // of the content, or of what is said about it
// precondition_failed "condition_not_met". For Write::replace also conflict "blob_exists" on
// If-None-Match: *, and denied "overwrite_denied".
Result<void> check_write(const Conditions& conditions, const std::optional<Info>& there,
                         Write write);
// precondition_failed "condition_not_met" (412) or "not_modified" (304); invalid_argument
// "unsatisfiable_condition".
Result<void> check_read(const Conditions& conditions, const Info& there);

// conflict "pending_copy" where a copy to it is under way.
Result<void> check_no_copy(const Info& there);
// Every write of a blob asks these, its lease, and that. Reasons of check_write and may_write too.
Result<void> check_change(const Conditions& conditions, const std::optional<Info>& there,
                          Write write, WallTime now);

struct AppendConditions {
  std::optional<uint64_t> position, max_size;  // where it begins; what the blob may grow to
};

}  // namespace holdfast::blob
