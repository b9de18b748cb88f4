// Prometheus' text format (0.0.4) of what the models did.
#pragma once

#include <string>
#include <vector>

#include "inference/loaded.h"
#include "inference/trial.h"

namespace holdfast::inference {

// Triton's names, so that its dashboards work, and histograms of our own under holdfast_inference_.
// The samples of one name are together, each with its HELP and TYPE, as the format wants.
std::string write_metrics(const std::vector<LoadedPtr>& models);
// The last trial of each model; the names begin with holdfast_canary_.
std::string write_trials(const std::vector<std::pair<std::string, TrialPtr>>& trials);

}  // namespace holdfast::inference
