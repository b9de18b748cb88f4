#include "inference/drift/report_json.h"

#include <boost/json/array.hpp>

namespace holdfast::inference {

namespace json = boost::json;

json::object to_json(const DriftReport::Feature& feature) {
  return {{"name", feature.name},           {"psi", feature.psi.value},
          {"psi_limit", feature.psi.limit}, {"ks", feature.ks.value},
          {"ks_limit", feature.ks.limit},   {"rows", feature.rows},
          {"missing", feature.missing},     {"over", feature.over()}};
}

json::object to_json(const DriftReport::Classes& classes) {
  json::object counts;
  uint64_t other = 0;
  for (size_t i = 0; i < classes.counts.size(); ++i) {
    const auto& [label, count] = classes.counts[i];
    if (i + 1 == classes.counts.size())
      other = count;
    else if (count > 0)
      counts[label] = count;
  }
  return {{"name", classes.name},
          {"distance", classes.distance.value},
          {"distance_limit", classes.distance.limit},
          {"rows", classes.rows},
          {"counts", std::move(counts)},
          {"other", other},
          {"over", classes.distance.over()}};
}

json::object to_json(const DriftReport& report) {
  json::array features, classes;
  for (const DriftReport::Feature& one : report.features) features.push_back(to_json(one));
  for (const DriftReport::Classes& one : report.classes) classes.push_back(to_json(one));
  return {{"begun", format_rfc3339(report.begun)},
          {"ended", format_rfc3339(report.ended)},
          {"rows", report.rows},
          {"drift", report.drift},
          {"features", std::move(features)},
          {"classes", std::move(classes)}};
}

}  // namespace holdfast::inference
