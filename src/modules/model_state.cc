#include "modules/model_state.h"

namespace holdfast::modules {
namespace {

// What made room for others serves all the same: the next request loads it.
bool serves(const Served& one) {
  return one.current && (one.ready || one.reason == "evicted");
}

}  // namespace

int64_t serves_instead(const std::string& name, int64_t version,
                       const std::vector<Served>& served) {
  for (const Served& one : served)
    if (one.name == name && one.version != version && serves(one)) return one.version;
  return 0;
}

Actual model_state(const InstalledModel& model, bool canary, const std::vector<Served>& served) {
  Actual actual;
  actual.name = model.name;
  actual.type = ModuleType::model;
  actual.fingerprint = model.fingerprint;
  actual.image_id = model.digest;
  const int64_t other = canary ? serves_instead(model.name, model.version, served) : 0;
  for (const Served& one : served) {
    if (one.name != model.name || one.version != model.version) continue;
    if (serves(one) && (one.digest.empty() || one.digest == model.digest))
      actual.state = Running::running;
    if (other == 0) continue;
    const std::string beside = "version " + std::to_string(other);
    actual.state = Running::running;
    actual.refused = !one.on_trial;
    actual.note = one.on_trial ? "on trial beside " + beside
                  : !one.ready && !one.reason.empty()
                      ? one.reason + "; " + beside + " serves"
                      : "its trial has ended; " + beside + " serves";
  }
  return actual;
}

}  // namespace holdfast::modules
