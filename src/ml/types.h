// What experiments, runs and models are made of: plain types. Times are milliseconds since 1970,
// UTC, as clients give and get them; 0: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::ml {

using Pairs = std::vector<std::pair<std::string, std::string>>;

enum class View { active, deleted, all };

struct Experiment {
  int64_t id = 0;
  std::string name;
  bool deleted = false;
  int64_t created_ms = 0, updated_ms = 0;
  Pairs tags;
};

enum class RunStatus { running = 1, scheduled, finished, failed, killed };
std::string_view to_string(RunStatus status);  // "RUNNING" …
// The name or its number; invalid_argument.
Result<RunStatus> run_status_of(std::string_view text);

struct Metric {
  std::string key;
  double value = 0;  // NaN is kept; ±infinity becomes the largest number
  int64_t time_ms = 0, step = 0;
  std::string model, dataset_name, dataset_digest;  // what it was measured on; mostly empty
};

struct Dataset {
  std::string name, digest, source_type, source, schema, profile;
};
struct DatasetInput {
  Dataset dataset;
  Pairs tags;
};
struct ModelOutput {
  std::string model;
  int64_t step = 0;
};

struct Run {
  std::string id, name, user;
  int64_t experiment = 0;
  RunStatus status = RunStatus::running;
  bool deleted = false;
  int64_t started_ms = 0, ended_ms = 0;
  std::vector<Metric> metrics;  // the latest of each key: largest step, then time, then value
  Pairs params, tags;
  std::vector<DatasetInput> datasets;
  std::vector<std::string> model_inputs;
  std::vector<ModelOutput> model_outputs;

  std::string artifact_root() const;  // below the container: "7/RUN/artifacts"
};

struct Batch {
  std::vector<Metric> metrics;
  Pairs params, tags;
};

template <class T>
struct PageOf {
  std::vector<T> items;
  std::string next;  // the token of the next page; empty: this was the last
};

// What a list asks for. `filter` and `order_by` are in MLflow's grammar (filter.h).
struct Search {
  std::string filter;
  std::vector<std::string> order_by;
  View view = View::active;
  size_t limit = 1000;
  std::string page_token;
};

}  // namespace holdfast::ml
