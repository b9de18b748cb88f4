// Desired against actual: what to do now. A pure function; the reconciler runs what it says, and
// asks again on the next tick.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "modules/restart.h"

namespace holdfast::modules {

enum class Running { created, running, exited };

// A container, process or model as it is.
struct Actual {
  std::string name;
  ModuleType type = ModuleType::docker;
  std::string fingerprint;  // of the spec that it was made from
  Running state = Running::created;
  int exit_code = 0;
  WallTime started{}, finished{};
  std::string image_id;  // docker: "sha256:…"; model: the digest that serves
  std::string note;      // of a model that does not serve and is as it should be: why
  bool refused = false;  // and it stays so
};

enum class Step {
  deploy,   // fetch what it needs, replace what is there, start it where it should run
  start,    // a first start of what is there
  restart,  // after an end; counts
  stop,
  remove,
};
struct Action {
  Step step;
  std::string module;
  bool operator==(const Action&) const = default;
};

// `busy`: modules with an action under way; they get none. Removals come first, then by startup
// order: a module waits until every one of a lower order has had an attempt at its start.
std::vector<Action> plan(const Deployment& desired, const std::vector<Actual>& actual,
                         const std::map<std::string, Life>& lives,
                         const std::set<std::string>& busy, WallTime now,
                         const RestartRule& rule = {});

// edgeAgent's words for it: unknown backoff running stopped failed.
std::string_view runtime_status(const ModuleSpec& spec, const Actual* actual, const Life* life,
                                WallTime now, const RestartRule& rule = {});

}  // namespace holdfast::modules
