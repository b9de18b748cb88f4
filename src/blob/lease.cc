#include "blob/lease.h"

#include <algorithm>

#include "base/digest.h"

namespace holdfast::blob {
namespace {

using Seconds = std::chrono::seconds;

std::unexpected<Error> mismatch() {
  return fail(Code::conflict, "lease_id_mismatch",
              "The lease ID specified did not match the lease ID for the resource.");
}

std::unexpected<Error> not_present() {
  return fail(Code::conflict, "lease_not_present", "There is currently no lease on the resource.");
}

Result<Lease> acquire(const Lease& lease, const LeaseRequest& request, WallTime now) {
  const LeaseState state = lease.state(now);
  const bool same = !request.proposed.empty() && request.proposed == lease.id;
  if (state == LeaseState::breaking && same)
    return fail(Code::conflict, "lease_breaking_no_acquire",
                "The lease ID matched, but the lease is currently in breaking state and cannot be "
                "acquired until it is broken.");
  if (lease.locked(now) && !same)
    return fail(Code::conflict, "lease_already_present", "There is already a lease present.");
  Lease made;
  made.id = request.proposed.empty() ? random_uuid() : request.proposed;
  made.seconds = request.seconds;
  if (request.seconds != Lease::kInfinite) made.until = now + Seconds(request.seconds);
  return made;
}

Result<Lease> renew(Lease lease, const LeaseRequest& request, WallTime now) {
  if (lease.id.empty() || lease.id != request.id) return mismatch();
  if (lease.breaking)
    return fail(Code::conflict, "lease_broken_no_renew",
                "The lease ID matched, but the lease has been broken explicitly and cannot be "
                "renewed.");
  if (lease.seconds != Lease::kInfinite) lease.until = now + Seconds(lease.seconds);
  return lease;
}

Result<Lease> change(Lease lease, const LeaseRequest& request, WallTime now) {
  if (!lease.locked(now)) return not_present();
  // The new id too, so that a repeated change goes well.
  if (lease.id != request.id && lease.id != request.proposed) return mismatch();
  if (lease.breaking)
    return fail(Code::conflict, "lease_breaking_no_change",
                "The lease ID matched, but the lease is currently in breaking state and cannot be "
                "changed.");
  lease.id = request.proposed;
  return lease;
}

Result<Lease> break_lease(Lease lease, const LeaseRequest& request, WallTime now) {
  if (lease.id.empty()) return not_present();
  const bool endless = lease.seconds == Lease::kInfinite && !lease.breaking;
  const WallTime end = endless || lease.until < now ? now : lease.until;
  if (!request.break_seconds)
    lease.until = end;
  else if (endless)
    lease.until = now + Seconds(*request.break_seconds);
  else
    lease.until = std::min(end, now + Seconds(*request.break_seconds));
  lease.breaking = true;
  return lease;
}

}  // namespace

std::string_view to_string(LeaseState state) {
  switch (state) {
    case LeaseState::available:
      return "available";
    case LeaseState::leased:
      return "leased";
    case LeaseState::expired:
      return "expired";
    case LeaseState::breaking:
      return "breaking";
    case LeaseState::broken:
      return "broken";
  }
  return "available";
}

LeaseState Lease::state(WallTime now) const {
  if (id.empty()) return LeaseState::available;
  if (breaking) return now < until ? LeaseState::breaking : LeaseState::broken;
  return seconds == kInfinite || now < until ? LeaseState::leased : LeaseState::expired;
}

Result<Lease> apply(const Lease& lease, const LeaseRequest& request, WallTime now) {
  switch (request.action) {
    case LeaseRequest::acquire:
      return acquire(lease, request, now);
    case LeaseRequest::renew:
      return renew(lease, request, now);
    case LeaseRequest::change:
      return change(lease, request, now);
    case LeaseRequest::release:
      if (lease.id.empty() || lease.id != request.id) return mismatch();
      return Lease();
    case LeaseRequest::break_:
      return break_lease(lease, request, now);
  }
  return fail(Code::internal, "no such action on a lease");
}

Result<void> may_read(const Lease& lease, std::string_view id, WallTime now, Leased what) {
  if (id.empty()) return {};
  const bool blob = what == Leased::blob;
  if (!lease.locked(now))
    return fail(Code::precondition_failed, blob ? "blob_not_leased" : "container_not_leased",
                "There is currently no lease on the " + std::string(blob ? "blob." : "container."));
  if (lease.id != id)
    return fail(Code::precondition_failed,
                blob ? "blob_lease_id_mismatch" : "container_lease_id_mismatch",
                "The lease ID specified did not match the lease ID for the " +
                    std::string(blob ? "blob." : "container."));
  return {};
}

Result<void> may_write(const Lease& lease, std::string_view id, WallTime now, Leased what) {
  if (id.empty() && lease.locked(now))
    return fail(Code::precondition_failed, "lease_id_missing",
                "There is currently a lease on the " +
                    std::string(what == Leased::blob ? "blob" : "container") +
                    " and no lease ID was specified in the request.");
  return may_read(lease, id, now, what);
}

}  // namespace holdfast::blob
