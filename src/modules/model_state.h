// What the inference server's list says of a model that was installed. A pure function.
#pragma once

#include "modules/model_server.h"
#include "modules/plan.h"
#include "modules/state.h"

namespace holdfast::modules {

// With a `canary` the version may stand beside the one that answers: on trial, or refused by it.
// Either is a settled state, noted in words; the reconciler leaves it as it is.
Actual model_state(const InstalledModel& model, bool canary, const std::vector<Served>& served);

// The version that answers those who name none, of those that are not `version`; 0: none.
int64_t serves_instead(const std::string& name, int64_t version, const std::vector<Served>& served);

}  // namespace holdfast::modules
