#include <cmath>

#include "ml/http/runs.h"

namespace holdfast::ml {
namespace {

json::object info_of(const Run& run) {
  json::object out;
  out["run_id"] = run.id;
  out["run_uuid"] = run.id;
  out["run_name"] = run.name;
  out["experiment_id"] = std::to_string(run.experiment);
  out["user_id"] = run.user;
  out["status"] = to_string(run.status);
  out["start_time"] = run.started_ms;
  if (run.ended_ms != 0) out["end_time"] = run.ended_ms;
  out["artifact_uri"] = artifact_uri(run.artifact_root());
  out["lifecycle_stage"] = run.deleted ? "deleted" : "active";
  return out;
}

json::object inputs_of(const Run& run) {
  json::object out;
  json::array datasets, models;
  for (const DatasetInput& input : run.datasets) {
    json::object dataset, one;
    dataset["name"] = input.dataset.name;
    dataset["digest"] = input.dataset.digest;
    dataset["source_type"] = input.dataset.source_type;
    dataset["source"] = input.dataset.source;
    if (!input.dataset.schema.empty()) dataset["schema"] = input.dataset.schema;
    if (!input.dataset.profile.empty()) dataset["profile"] = input.dataset.profile;
    if (!input.tags.empty()) one["tags"] = pairs_json(input.tags);
    one["dataset"] = std::move(dataset);
    datasets.push_back(std::move(one));
  }
  for (const std::string& model : run.model_inputs) models.push_back({{"model_id", model}});
  if (!datasets.empty()) out["dataset_inputs"] = std::move(datasets);
  if (!models.empty()) out["model_inputs"] = std::move(models);
  return out;
}

json::object outputs_of(const Run& run) {
  json::object out;
  json::array models;
  for (const ModelOutput& model : run.model_outputs)
    models.push_back({{"model_id", model.model}, {"step", model.step}});
  if (!models.empty()) out["model_outputs"] = std::move(models);
  return out;
}

}  // namespace

json::object describe(const Metric& metric) {
  json::object out;
  out["key"] = metric.key;
  out["value"] = std::isnan(metric.value) ? json::value("NaN") : json::value(metric.value);
  out["timestamp"] = metric.time_ms;
  out["step"] = metric.step;
  if (!metric.model.empty()) out["model_id"] = metric.model;
  if (!metric.dataset_name.empty()) out["dataset_name"] = metric.dataset_name;
  if (!metric.dataset_digest.empty()) out["dataset_digest"] = metric.dataset_digest;
  return out;
}

json::object describe(const Run& run) {
  json::object data, out;
  json::array metrics;
  for (const Metric& metric : run.metrics) metrics.push_back(describe(metric));
  if (!metrics.empty()) data["metrics"] = std::move(metrics);
  if (!run.params.empty()) data["params"] = pairs_json(run.params);
  if (!run.tags.empty()) data["tags"] = pairs_json(run.tags);
  out["info"] = info_of(run);
  out["data"] = std::move(data);
  out["inputs"] = inputs_of(run);
  out["outputs"] = outputs_of(run);
  return out;
}

Result<Metric> metric_of(const Args& args) {
  Metric out;
  TRY(out.key, args.text("key"));
  TRY(out.value, args.number("value"));
  TRY(out.time_ms, args.integer("timestamp"));
  TRY(out.step, args.integer_or("step", 0));
  TRY(out.model, args.text_or("model_id"));
  TRY(out.dataset_name, args.text_or("dataset_name"));
  TRY(out.dataset_digest, args.text_or("dataset_digest"));
  return out;
}

}  // namespace holdfast::ml
