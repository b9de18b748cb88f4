#include "inference/drift/window.h"

#include <algorithm>
#include <cmath>

#include "inference/drift/distance.h"

namespace holdfast::inference {

Result<void> check(const DriftLimits& limits) {
  const auto wrong = [](const char* what) { return fail(Code::invalid_argument, what); };
  if (limits.window < 10 || limits.window > 10'000) return wrong("window: 10 to 10000 rows");
  if (limits.least < 10 || limits.least > limits.window)
    return wrong("least: at least 10 rows, at most those of the window");
  if (limits.after < std::chrono::milliseconds(100)) return wrong("after: at least 100ms");
  for (const double limit : {limits.psi, limits.ks, limits.classes})
    if (!(limit > 0 && limit <= 100)) return wrong("psi, ks and classes are numbers over 0");
  if (!(limits.alpha > 0 && limits.alpha < 1)) return wrong("alpha: a probability, 0 to 1");
  if (limits.features == 0) return wrong("features: at least 1");
  return {};
}

DriftWindow::DriftWindow(ProfilePtr profile, DriftLimits limits)
    : profile_(std::move(profile)),
      limits_(limits),
      values_(profile_->features.size()),
      missing_(profile_->features.size()) {
  for (const ClassProfile& one : profile_->classes) classes_.emplace_back(one.counts.size());
}

void DriftWindow::add(const Row& row, WallTime now) {
  if (rows_++ == 0) begun_ = now;
  for (size_t i = 0; i < values_.size(); ++i) {
    const float value = row.values[i];
    if (std::isnan(value)) ++missing_[i];
    if (std::isfinite(value)) values_[i].push_back(value);
  }
  for (size_t i = 0; i < classes_.size(); ++i)
    if (row.labels[i]) ++classes_[i][class_of(profile_->classes[i], *row.labels[i])];
}

bool DriftWindow::due(WallTime now) const {
  return rows_ >= limits_.window || (rows_ >= limits_.least && now - begun_ >= limits_.after);
}

DriftReport::Feature DriftWindow::measure(size_t index, double alpha) {
  const FeatureProfile& before = profile_->features[index];
  std::vector<float>& live = values_[index];
  DriftReport::Feature out{.name = before.name, .rows = live.size(), .missing = missing_[index]};
  std::ranges::sort(live);
  const bool known = before.sample.size() + before.missing > 0;
  const auto counts = bin_counts(live, missing_[index], before.edges);
  out.psi.limit = std::max(limits_.psi, psi_by_chance(before.counts, counts, alpha));
  out.ks.limit = std::max(limits_.ks, ks_by_chance(before.sample.size(), live.size(), alpha));
  if (!known || live.size() + out.missing < limits_.least) return out;
  out.psi.value = psi(before.counts, counts);
  out.ks.value = ks(before.sample, live);
  return out;
}

DriftReport::Classes DriftWindow::mix(size_t index, double alpha) const {
  const ClassProfile& before = profile_->classes[index];
  const std::vector<uint64_t>& live = classes_[index];
  DriftReport::Classes out{.name = before.name};
  for (size_t i = 0; i < live.size(); ++i) {
    out.rows += live[i];
    out.counts.emplace_back(i < before.labels.size() ? before.labels[i] : "", live[i]);
  }
  const bool enough = out.rows >= limits_.least;
  out.distance.value = enough ? class_distance(before.counts, live) : 0;
  out.distance.limit = class_probability(before.counts, live) < alpha ? limits_.classes : 1;
  return out;
}

DriftReport DriftWindow::close(WallTime now) {
  DriftReport out{.begun = begun_, .ended = now, .rows = rows_};
  const auto tests = static_cast<double>(2 * values_.size() + classes_.size());
  const double alpha = limits_.alpha / std::max(1.0, tests);
  uint64_t over = 0, near = 0;
  for (size_t i = 0; i < values_.size(); ++i) {
    out.features.push_back(measure(i, alpha));
    over += out.features.back().over() ? 1 : 0;
    near += out.features.back().near() ? 1 : 0;
  }
  bool classes_over = false, classes_near = false;
  for (size_t i = 0; i < classes_.size(); ++i) {
    out.classes.push_back(mix(i, alpha));
    classes_over = classes_over || out.classes.back().distance.over();
    classes_near = classes_near || out.classes.back().distance.near();
  }
  out.drift = over >= limits_.features || classes_over;
  out.calm = near < limits_.features && !classes_near;
  rows_ = 0;
  for (auto& values : values_) values.clear();
  std::ranges::fill(missing_, 0);
  for (auto& counts : classes_) std::ranges::fill(counts, 0);
  return out;
}

}  // namespace holdfast::inference
