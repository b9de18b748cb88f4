// Leases of blobs and containers: the states that the protocol has, as pure functions of the time.
// Source: "Lease Blob", outcomes of lease operations by state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace holdfast::blob {

enum class LeaseState { available, leased, expired, breaking, broken };
std::string_view to_string(LeaseState state);

struct Lease {
  static constexpr int kInfinite = -1;
  std::string id;  // "": there is none
  int seconds = 0;
  WallTime until;         // the end of a fixed lease, or of the break period
  bool breaking = false;  // breaking until then, and broken after it

  LeaseState state(WallTime now) const;
  // Whoever writes must name it.
  bool locked(WallTime now) const {
    return state(now) == LeaseState::leased || state(now) == LeaseState::breaking;
  }
};

struct LeaseRequest {
  enum Action { acquire, renew, change, release, break_ } action = acquire;
  std::string id;        // lower case, as `proposed`
  std::string proposed;  // acquire: "" for one made here
  int seconds = Lease::kInfinite;
  std::optional<int> break_seconds;
};

// The lease after the request. conflict "lease_already_present", "lease_id_mismatch",
// "lease_not_present", "lease_breaking_no_acquire", "lease_breaking_no_change",
// "lease_broken_no_renew".
Result<Lease> apply(const Lease& lease, const LeaseRequest& request, WallTime now);

// precondition_failed "lease_id_missing", and "blob_…" or "container_lease_id_mismatch" and
// "…_not_leased". `id` is what the caller named, "" for nothing.
enum class Leased { blob, container };
Result<void> may_write(const Lease& lease, std::string_view id, WallTime now, Leased what);
// An id that is named must be the lease's; none need be.
Result<void> may_read(const Lease& lease, std::string_view id, WallTime now, Leased what);

}  // namespace holdfast::blob
