#include "inference/drift/monitor.h"

#include <algorithm>
#include <random>

#include "base/log.h"

namespace holdfast::inference {
namespace {

constexpr size_t kMostWatched = 256;  // model versions

DriftSubject subject_of(const Loaded& loaded, const Profile& profile) {
  return {loaded.name, loaded.version, loaded.digest, profile.digest};
}

}  // namespace

Result<std::unique_ptr<DriftMonitor>> DriftMonitor::open(DriftOptions options, const Clock& clock) {
  TRY(DriftEvents events, DriftEvents::open(options.state_file, options.directory, options.device));
  return std::unique_ptr<DriftMonitor>(
      new DriftMonitor(std::move(options), clock, std::move(events)));
}

DriftMonitor::DriftMonitor(DriftOptions options, const Clock& clock, DriftEvents events)
    : options_(std::move(options)),
      clock_(clock),
      events_(std::move(events)),
      requests_({.weigh = [](const Seen& seen) { return seen.taken.bytes(); },
                 .most = options_.memory,
                 .every = std::min(options_.limits.after, std::chrono::milliseconds(1000))},
                [this] { run(); }) {
  if (events_.waiting()) requests_.start();
}

void DriftMonitor::answered(const Loaded& loaded, const Inputs& inputs, const Outputs& outputs,
                            const RunOptions&) noexcept {
  if (loaded.profile.empty()) return;
  // By chance: every n-th would always be the same camera's where cameras take turns.
  thread_local std::minstd_rand draw(std::random_device{}());
  if (std::uniform_real_distribution<double>(0, 100)(draw) >= options_.share) return;
  requests_.offer([&]() -> std::optional<Seen> {
    ProfilePtr profile = loaded.profile.get();
    if (!profile) return std::nullopt;
    Taken taken = take(profile->plan, inputs, outputs);
    if (taken.rows == 0) return std::nullopt;
    return Seen{subject_of(loaded, *profile), std::move(profile), std::move(taken)};
  });
}

void DriftMonitor::run() {
  while (const auto taken = requests_.take()) {
    for (const Seen& seen : *taken) look_at(seen);
    close_where_due();
    deliver();
  }
}

void DriftMonitor::look_at(const Seen& seen) {
  const std::lock_guard lock(watches_mutex_);
  auto found = watches_.find(seen.subject);
  if (found == watches_.end()) {
    std::erase_if(watches_, [&seen](const auto& one) {  // by an earlier profile
      return one.first.model == seen.subject.model && one.first.version == seen.subject.version;
    });
    if (watches_.size() >= kMostWatched) {
      ++unwatched_;
      return;
    }
    found = watches_
                .emplace(std::piecewise_construct, std::forward_as_tuple(seen.subject),
                         std::forward_as_tuple(seen.profile, options_.limits))
                .first;
  }
  Watch& watch = found->second;
  watch.window.share(seen.profile);
  each_row(seen.profile->plan, seen.taken, [&](const Row& row) {
    watch.window.add(row, clock_.now());
    ++rows_;
    if (watch.window.due(clock_.now())) close(seen.subject, watch);
  });
  watch.status.rows = watch.window.rows();
}

void DriftMonitor::close_where_due() {
  const std::lock_guard lock(watches_mutex_);
  for (auto& [subject, watch] : watches_) {
    if (watch.window.due(clock_.now())) close(subject, watch);
  }
  // What nobody has in memory any more.
  std::erase_if(watches_,
                [](const auto& one) { return one.second.window.profile().use_count() == 1; });
}

void DriftMonitor::close(const DriftSubject& subject, Watch& watch) {
  DriftReport report = watch.window.close(clock_.now());
  Result<void> kept;
  if (report.drift && !events_.drifting(subject)) {
    kept = events_.begin(subject, report);
    if (kept) ++raised_;
  } else if (report.calm && events_.drifting(subject)) {
    kept = events_.end(subject);
    if (kept)
      log::info("drift", "requests are as the training data again", {{"model", subject.model}});
  }
  if (!kept)  // the next window that is over its limits tries again
    log::warning("drift", "what drifts cannot be kept", {{"error", kept.error().message()}});
  watch.status.rows = 0;
  ++watch.status.windows;
  watch.status.last = std::move(report);
}

void DriftMonitor::deliver() {
  const std::lock_guard lock(watches_mutex_);
  if (!events_.waiting()) return;
  const auto done = events_.deliver();
  if (!done && !failing_)
    log::warning("drift", "an event cannot be written", {{"error", done.error().message()}});
  failing_ = !done;
}

DriftStatus DriftMonitor::status(const Loaded& loaded) const {
  const ProfilePtr profile = loaded.profile.get();
  if (!profile) return {};
  const DriftSubject subject = subject_of(loaded, *profile);
  const std::lock_guard lock(watches_mutex_);
  const auto found = watches_.find(subject);
  DriftStatus out = found == watches_.end() ? DriftStatus{} : found->second.status;
  out.event = events_.event_of(subject);
  return out;
}

}  // namespace holdfast::inference
