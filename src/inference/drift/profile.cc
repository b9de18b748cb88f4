#include "inference/drift/profile.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace holdfast::inference {
namespace {

constexpr int kBins = 10;
constexpr size_t kMostLabels = 255;

// Of sorted values, between two of them in proportion: numpy.quantile's default.
float quantile(const std::vector<float>& values, double part) {
  const double at = part * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, values.size() - 1);
  const double low = values[below], high = values[above];
  return static_cast<float>(low + (high - low) * (at - static_cast<double>(below)));
}

}  // namespace

std::vector<uint64_t> bin_counts(std::span<const float> values, uint64_t missing,
                                 std::span<const float> edges) {
  std::vector<uint64_t> out;
  out.reserve(edges.size() + 2);
  auto from = values.begin();
  for (const float edge : edges) {
    const auto to = std::upper_bound(from, values.end(), edge);
    out.push_back(static_cast<uint64_t>(to - from));
    from = to;
  }
  out.push_back(static_cast<uint64_t>(values.end() - from));
  out.push_back(missing);
  return out;
}

size_t class_of(const ClassProfile& profile, const std::string& label) {
  const auto found = std::ranges::lower_bound(profile.labels, label);
  if (found == profile.labels.end() || *found != label) return profile.labels.size();
  return static_cast<size_t>(found - profile.labels.begin());
}

ProfileBuilder::ProfileBuilder(Plan plan, size_t sample_rows)
    : plan_(std::move(plan)), most_(sample_rows) {}

void ProfileBuilder::add(const Taken& taken) {
  each_row(plan_, taken, [this](const Row& row) {
    ++rows_;
    if (sample_.size() < most_) {
      sample_.push_back(row);
      return;
    }
    const uint64_t at = std::uniform_int_distribution<uint64_t>(0, rows_ - 1)(random_);
    if (at < most_) sample_[at] = row;
  });
}

FeatureProfile ProfileBuilder::feature(size_t index) const {
  FeatureProfile out{.name = plan_.features[index]};
  for (const Row& row : sample_) {
    const float value = row.values[index];
    if (std::isnan(value)) ++out.missing;
    if (std::isfinite(value)) out.sample.push_back(value);
  }
  std::ranges::sort(out.sample);
  for (int i = 1; i < kBins && !out.sample.empty(); ++i) {
    const float edge = quantile(out.sample, static_cast<double>(i) / kBins);
    if (out.edges.empty() || edge > out.edges.back()) out.edges.push_back(edge);
  }
  out.counts = bin_counts(out.sample, out.missing, out.edges);
  return out;
}

ClassProfile ProfileBuilder::classes(size_t index) const {
  std::map<std::string, uint64_t> counted;
  for (const Row& row : sample_)
    if (row.labels[index]) ++counted[*row.labels[index]];
  std::vector<std::pair<uint64_t, std::string>> most;  // the most frequent first
  most.reserve(counted.size());
  for (const auto& [label, count] : counted) most.emplace_back(count, label);
  std::ranges::sort(most, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  ClassProfile out{.name = plan_.classes[index]};
  uint64_t others = 0;
  for (size_t i = 0; i < most.size(); ++i) {
    if (i < kMostLabels)
      out.labels.push_back(most[i].second);
    else
      others += most[i].first;
  }
  std::ranges::sort(out.labels);
  for (const std::string& label : out.labels) out.counts.push_back(counted[label]);
  out.counts.push_back(others);
  return out;
}

Profile ProfileBuilder::finish() const {
  Profile out;
  out.rows = rows_;
  out.sample_rows = sample_.size();
  for (size_t i = 0; i < plan_.features.size(); ++i) out.features.push_back(feature(i));
  for (size_t i = 0; i < plan_.classes.size(); ++i) out.classes.push_back(classes(i));
  return out;
}

}  // namespace holdfast::inference
