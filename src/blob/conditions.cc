#include "blob/conditions.h"

namespace holdfast::blob {
namespace {

std::unexpected<Error> not_met() {
  return fail(Code::precondition_failed, "condition_not_met",
              "The condition specified using HTTP conditional header(s) is not met.");
}

std::unexpected<Error> not_modified() {
  return fail(Code::precondition_failed, "not_modified",
              "The condition specified using HTTP conditional header(s) is not met.");
}

// HTTP dates have whole seconds; a time within the same second is not later.
WallTime whole(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time);
}

bool matches(uint64_t etag, const Info& there) {
  return etag == Conditions::kAny || etag == there.etag;
}

}  // namespace

// Source: "Specifying conditional headers for Blob service operations", write operations. An ETag
// beside a date decides alone.
Result<void> check_write(const Conditions& conditions, const std::optional<Info>& there,
                         Write write) {
  if (conditions.create_only && there && write == Write::replace)
    return fail(Code::denied, "overwrite_denied",
                "This request is not authorized to perform blob overwrites.");
  if (conditions.if_tags && (!there || !conditions.if_tags->holds(there->tags))) return not_met();
  if (conditions.if_none_match) {
    if (!there) return {};
    if (*conditions.if_none_match == Conditions::kAny) {
      if (write == Write::change) return {};  // as the service itself does
      return fail(Code::conflict, "blob_exists", "The specified blob already exists.");
    }
    if (*conditions.if_none_match == there->etag) return not_met();
    return {};
  }
  if (conditions.if_match) {
    if (!there || !matches(*conditions.if_match, *there)) return not_met();
    return {};
  }
  if (!there) return {};
  if (conditions.if_modified_since && whole(there->modified) <= *conditions.if_modified_since)
    return not_met();
  if (conditions.if_unmodified_since && whole(there->modified) > *conditions.if_unmodified_since)
    return not_met();
  return {};
}

Result<void> check_no_copy(const Info& there) {
  for (const auto& [name, value] : there.copy) {
    if (name == "status" && value == "pending")
      return fail(Code::conflict, "pending_copy", "There is currently a pending copy operation.");
  }
  return {};
}

Result<void> check_change(const Conditions& conditions, const std::optional<Info>& there,
                          Write write, WallTime now) {
  TRY_VOID(check_write(conditions, there, write));
  TRY_VOID(may_write(there ? there->lease : Lease(), conditions.lease_id, now, Leased::blob));
  return there ? check_no_copy(*there) : Result<void>();
}

// The same source, read operations: If-None-Match and If-Modified-Since are satisfied by either.
Result<void> check_read(const Conditions& conditions, const Info& there) {
  if (conditions.if_none_match && *conditions.if_none_match == Conditions::kAny)
    return fail(Code::invalid_argument, "unsatisfiable_condition",
                "The request includes an unsatisfiable condition for this operation: "
                "If-None-Match: *");
  if (conditions.if_tags && !conditions.if_tags->holds(there.tags)) return not_met();
  if (conditions.if_match && !matches(*conditions.if_match, there)) return not_met();
  if (conditions.if_unmodified_since && whole(there.modified) > *conditions.if_unmodified_since)
    return not_met();
  std::optional<bool> other, later;
  if (conditions.if_none_match) other = *conditions.if_none_match != there.etag;
  if (conditions.if_modified_since) later = whole(there.modified) > *conditions.if_modified_since;
  if ((other == false && later != true) || (later == false && other != true)) return not_modified();
  return {};
}

}  // namespace holdfast::blob
