#include "modules/plan.h"

#include <algorithm>
#include <optional>

namespace holdfast::modules {
namespace {

Ended how_ended(const Actual& actual) {
  return actual.exit_code == 0 ? Ended::well : Ended::badly;
}

// A life of an earlier spec says nothing about this one.
const Life* life_of(const std::map<std::string, Life>& lives, const ModuleSpec& spec) {
  const auto found = lives.find(spec.name);
  return found != lives.end() && found->second.fingerprint == spec.fingerprint() ? &found->second
                                                                                 : nullptr;
}

const Actual* actual_of(const std::vector<Actual>& actual, const ModuleSpec& spec) {
  const auto found = std::ranges::find(actual, spec.name, &Actual::name);
  return found == actual.end() ? nullptr : &*found;
}

std::optional<Step> step_for(const ModuleSpec& spec, const Actual* actual, const Life* life,
                             WallTime now, const RestartRule& rule) {
  const bool same =
      actual != nullptr && actual->type == spec.type && actual->fingerprint == spec.fingerprint();
  if (!same) {
    // What could not be made is tried again with the same patience as what ends.
    if (life != nullptr && !life->problem.empty() &&
        now - life->last_exit < back_off(life->failures, rule))
      return std::nullopt;
    return Step::deploy;
  }
  const bool runs = actual->state == Running::running;
  if (spec.status == Wanted::stopped) return runs ? std::optional(Step::stop) : std::nullopt;
  if (runs) return std::nullopt;
  if (actual->state == Running::created || life == nullptr || !life->attempted) return Step::start;
  const Verdict verdict = judge(spec.restart, how_ended(*actual), *life, now, rule);
  return verdict == Verdict::restart ? std::optional(Step::restart) : std::nullopt;
}

}  // namespace

std::vector<Action> plan(const Deployment& desired, const std::vector<Actual>& actual,
                         const std::map<std::string, Life>& lives,
                         const std::set<std::string>& busy, WallTime now, const RestartRule& rule) {
  std::vector<Action> out;
  for (const Actual& one : actual)
    if (desired.find(one.name) == nullptr && !busy.contains(one.name))
      out.push_back({Step::remove, one.name});
  // The lowest order in which somebody has not been tried yet.
  uint64_t gate = UINT64_MAX;
  for (const ModuleSpec& spec : desired.modules) {
    const Life* life = life_of(lives, spec);
    const bool tried = spec.status == Wanted::stopped || (life != nullptr && life->attempted);
    if (!tried) gate = std::min<uint64_t>(gate, spec.startup_order);
  }
  for (const ModuleSpec& spec : desired.modules) {
    if (spec.startup_order > gate) break;
    if (busy.contains(spec.name)) continue;
    const auto step = step_for(spec, actual_of(actual, spec), life_of(lives, spec), now, rule);
    if (step) out.push_back({*step, spec.name});
  }
  return out;
}

std::string_view runtime_status(const ModuleSpec& spec, const Actual* actual, const Life* life,
                                WallTime now, const RestartRule& rule) {
  const bool same = actual != nullptr && actual->fingerprint == spec.fingerprint();
  if (same && actual->state == Running::running) return actual->refused ? "failed" : "running";
  if (!same) return life != nullptr && !life->problem.empty() ? "backoff" : "unknown";
  if (spec.status == Wanted::stopped) return "stopped";
  const bool fresh = actual->state == Running::created || life == nullptr;
  const std::string_view ended = actual->exit_code == 0 ? "stopped" : "failed";
  if (fresh) return ended;
  switch (judge(spec.restart, how_ended(*actual), *life, now, rule)) {
    case Verdict::leave:
      return ended;
    case Verdict::give_up:
      return "failed";
    case Verdict::wait:
    case Verdict::restart:
      return "backoff";
  }
  return "unknown";
}

}  // namespace holdfast::modules
