// Champion against challenger: whether a new model version is let through. Plain functions.
#pragma once

#include <string>
#include <vector>

#include "ml/types.h"
#include "training/trigger.h"

namespace holdfast::training {

struct Finding {  // of one rule
  std::string metric;
  double champion = 0, challenger = 0;
  bool holds = false;
  std::string reason;  // one sentence with the figures
};
struct Verdict {
  bool promoted = false;
  std::vector<Finding> findings;
};

// Over the metrics "champion/NAME" and "challenger/NAME" of the run that measured both. A metric
// that is missing or is no number does not hold.
Verdict judge(const std::vector<Rule>& rules, const std::vector<ml::Metric>& metrics);

}  // namespace holdfast::training
