#include "training/gate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

namespace holdfast::training {
namespace {

std::optional<double> value_of(const std::vector<ml::Metric>& metrics, const std::string& key) {
  const auto found = std::ranges::find(metrics, key, &ml::Metric::key);
  if (found == metrics.end() || !std::isfinite(found->value)) return std::nullopt;
  return found->value;
}

std::string text(double value) {
  char out[40];
  std::snprintf(out, sizeof out, "%.4g", value);
  return out;
}

Finding judge(const Rule& rule, const std::vector<ml::Metric>& metrics) {
  Finding out;
  out.metric = rule.metric;
  const auto challenger = value_of(metrics, "challenger/" + rule.metric);
  const auto champion = value_of(metrics, "champion/" + rule.metric);
  if (!challenger || !champion) {
    out.reason = "the run has no metric " + std::string(challenger ? "champion/" : "challenger/") +
                 rule.metric;
    return out;
  }
  out.challenger = *challenger;
  out.champion = *champion;
  const double sign = rule.lower_is_better ? -1 : 1;
  const double gain = sign * (*challenger - *champion);
  // What floating point leaves of a difference that is exactly at the limit.
  constexpr double kSlack = 1e-9;
  const std::string figures = text(*challenger) + " against " + text(*champion);
  if (rule.min && sign * (*challenger - *rule.min) < -kSlack) {
    out.reason = text(*challenger) + " does not reach " + text(*rule.min);
  } else if (rule.min_gain && gain < *rule.min_gain - kSlack) {
    out.reason = figures + ": a gain of " + text(*rule.min_gain) + " is asked for";
  } else if (rule.max_loss && -gain > *rule.max_loss + kSlack) {
    out.reason = figures + ": it may lose at most " + text(*rule.max_loss);
  } else {
    out.holds = true;
    out.reason = figures;
  }
  return out;
}

}  // namespace

Verdict judge(const std::vector<Rule>& rules, const std::vector<ml::Metric>& metrics) {
  Verdict out;
  for (const Rule& rule : rules) out.findings.push_back(judge(rule, metrics));
  out.promoted = std::ranges::all_of(out.findings, &Finding::holds);
  return out;
}

}  // namespace holdfast::training
