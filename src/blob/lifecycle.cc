#include "blob/lifecycle.h"

#include "base/log.h"
#include "blob/history.h"
#include "blob/rows.h"
#include "blob/tiers.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;

constexpr size_t kPageOfBlobs = 200, kStepsTold = 1000;

struct Place {
  std::string account, container;
};

// The next container after that one, whoever's it is.
Result<std::optional<Place>> next_place(Tx& tx, const Place& after) {
  std::optional<Place> found;
  TRY_VOID(tx.each(
      "SELECT account, name FROM container WHERE account <> '' AND (account, name) > (?, "
      "?) ORDER BY account, name LIMIT 1",
      {std::string_view(after.account), std::string_view(after.container)}, [&](const Row& row) {
        found = Place{std::string(row.text(0)), std::string(row.text(1))};
        return false;
      }));
  return found;
}

struct Running {
  explicit Running(std::atomic<bool>& flag) : flag_(flag), first(!flag.exchange(true)) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    if (first) flag_ = false;
  }
  std::atomic<bool>& flag_;
  const bool first;
};

}  // namespace

Task<Result<LifecycleReport>> Lifecycle::pass(bool dry_run) {
  const Running running(running_);
  if (!running.first)
    co_return fail(Code::conflict, "lifecycle_running", "a lifecycle pass is under way already");
  LifecycleReport report;
  Place at;
  for (;;) {
    auto next = [at](Tx& tx) { return next_place(tx, at); };
    CO_TRY(auto place, co_await blobs_.database().read(std::move(next)));
    if (!place) co_return report;
    at = *place;
    for (const std::string& prefix : lifecycle_prefixes(rules_(at.account), at.container)) {
      auto done = co_await walk(at.account, at.container, prefix, dry_run, report);
      // It was deleted meanwhile.
      if (!done && done.error().code() == Code::not_found) break;
      CO_TRY_VOID(std::move(done));
    }
  }
}

Task<Result<void>> Lifecycle::walk(std::string account, std::string container, std::string prefix,
                                   bool dry_run, LifecycleReport& report) {
  ListQuery query;
  query.prefix = std::move(prefix);
  query.limit = kPageOfBlobs;
  query.snapshots = query.versions = true;
  const LifecycleRules& rules = rules_(account);
  do {
    CO_TRY(Page page, co_await blobs_.list_blobs(account, container, query));
    query.marker = page.next;
    for (const Info& info : page.items) {
      ++report.looked_at;
      auto step = lifecycle_step(rules, container, info, blobs_.clock().now());
      if (!step) continue;
      step->account = account;
      if (dry_run) {
        ++(step->action == LifecycleAction::remove ? report.deleted : report.tiered);
      } else {
        CO_TRY(const bool done, co_await apply(*step, report));
        if (!done) continue;
      }
      if (report.steps.size() < kStepsTold) report.steps.push_back(std::move(*step));
    }
    if (rate_ > 0 && !page.items.empty()) {
      const auto pause = std::chrono::milliseconds(page.items.size() * 1000 / rate_);
      CO_TRY_VOID(co_await sleep_for(pause));
    }
  } while (!query.marker.empty());
  co_return Result<void>();
}

Task<Result<bool>> Lifecycle::apply(const LifecycleStep& step, LifecycleReport& report) {
  BlobKey key(step.account, step.container, step.of.name);
  key.snapshot = step.of.snapshot;
  if (!step.of.current) key.version = step.of.version;
  // What has been written meanwhile is younger than it was.
  Conditions conditions;
  conditions.if_match = step.of.etag;
  Result<void> done;
  if (step.action == LifecycleAction::remove) {
    History history(blobs_);
    const auto removed = co_await history.remove(std::move(key), std::move(conditions), {});
    if (!removed) done = std::unexpected(removed.error());
  } else {
    const char* tier = step.action == LifecycleAction::archive ? "Archive"
                       : step.action == LifecycleAction::cold  ? "Cold"
                                                               : "Cool";
    Tiers tiers(blobs_);
    const auto set = co_await tiers.set(std::move(key), tier, std::move(conditions));
    if (!set) done = std::unexpected(set.error());
  }
  if (done) {
    ++(step.action == LifecycleAction::remove ? report.deleted : report.tiered);
    co_return true;
  }
  const Code code = done.error().code();
  if (code == Code::unavailable || code == Code::internal || code == Code::cancelled)
    co_return std::unexpected(done.error());
  ++report.skipped;
  co_return false;
}

Task<void> Lifecycle::run(std::chrono::milliseconds every) {
  while (co_await sleep_for(every)) {
    const auto done = co_await pass(false);
    if (!done) {
      log::warning("blob", "a lifecycle pass failed", {{"error", done.error().message()}});
    } else if (done->tiered + done->deleted > 0) {
      log::info("blob", "a lifecycle pass ended",
                {{"tiered", std::to_string(done->tiered)},
                 {"deleted", std::to_string(done->deleted)},
                 {"skipped", std::to_string(done->skipped)}});
    }
  }
}

}  // namespace holdfast::blob
