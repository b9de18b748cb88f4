#include "transfer/plan.h"

namespace holdfast::transfer {
namespace {

Step make(Step::Kind kind, const Entry& entry, const std::string& target = "") {
  Step step;
  step.kind = kind;
  step.entry = entry;
  step.target = target;
  return step;
}

}  // namespace

Plan plan_sync(const std::vector<Entry>& source, const std::vector<Entry>& target,
               bool remove_others) {
  Plan plan;
  std::vector<Step> removals;
  size_t at = 0;
  for (const Entry& entry : source) {
    for (; at < target.size() && target[at].name < entry.name; ++at)
      if (remove_others) removals.push_back(make(Step::Kind::remove, target[at]));
    const Entry* there =
        at < target.size() && target[at].name == entry.name ? &target[at++] : nullptr;
    if (there == nullptr || there->size != entry.size) {
      plan.steps.push_back(make(Step::Kind::send, entry));
      plan.bytes += entry.size;
    } else if (!entry.md5.empty() && entry.md5 == there->md5) {
      ++plan.same;
    } else if (!entry.md5.empty() && !there->md5.empty()) {
      plan.steps.push_back(make(Step::Kind::send, entry));
      plan.bytes += entry.size;
    } else {
      plan.steps.push_back(make(Step::Kind::compare, entry, there->md5));
    }
  }
  for (; remove_others && at < target.size(); ++at)
    removals.push_back(make(Step::Kind::remove, target[at]));
  plan.steps.insert(plan.steps.end(), removals.begin(), removals.end());
  return plan;
}

}  // namespace holdfast::transfer
