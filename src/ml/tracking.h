// Experiments and their runs: parameters, metrics, tags. The domain, without a wire format.
#pragma once

#include <memory>

#include "base/clock.h"
#include "ml/types.h"
#include "store/database/database.h"

namespace holdfast::ml {

struct NewRun {
  std::string id;  // empty: one is made (32 hex digits)
  int64_t experiment = 0;
  std::string name;  // empty: one is made
  std::string user;
  int64_t started_ms = 0;  // 0: now
  Pairs tags;
};

struct RunChange {
  std::optional<RunStatus> status;
  std::optional<int64_t> ended_ms;
  std::optional<std::string> name;
};

// Any thread may call. What was returned as done is on disk. Common failures: not_found,
// invalid_argument (a name or value outside the limits; a change of what is deleted), unavailable,
// internal.
class Tracking {
 public:
  // Migrates the component "ml", which Models and LoggedModels share, and makes the experiment
  // "Default" with the id 0. Both must outlive it.
  static Result<std::unique_ptr<Tracking>> open(store::Database& database, const Clock& clock);

  Task<Result<Experiment>> create_experiment(std::string name, Pairs tags);  // conflict "exists"
  // The active experiment of this name, made where there is none. conflict where it is deleted.
  Task<Result<Experiment>> ensure_experiment(std::string name);
  Task<Result<Experiment>> experiment(int64_t id);
  Task<Result<Experiment>> experiment_named(std::string name);
  Task<Result<void>> rename_experiment(int64_t id, std::string name);  // conflict "exists"
  // With its runs.
  Task<Result<void>> set_experiment_deleted(int64_t id, bool deleted);
  Task<Result<void>> set_experiment_tag(int64_t id, std::string key, std::string value);
  Task<Result<void>> delete_experiment_tag(int64_t id, std::string key);
  Task<Result<PageOf<Experiment>>> search_experiments(Search search);

  // The same id again is the run that is there, unchanged; conflict "exists" where that is of
  // another experiment.
  Task<Result<Run>> create_run(NewRun run);
  Task<Result<Run>> run(std::string id);
  Task<Result<Run>> update_run(std::string id, RunChange change);
  // The end now, where there is none yet.
  Task<Result<Run>> end_run(std::string id, RunStatus status);
  Task<Result<void>> set_run_deleted(std::string id, bool deleted);
  // All of it or nothing. A metric's point and a parameter with its value may come again;
  // invalid_argument where a parameter has another value already.
  Task<Result<void>> log(std::string id, Batch batch);
  Task<Result<void>> delete_tag(std::string id, std::string key);
  Task<Result<void>> log_inputs(std::string id, std::vector<DatasetInput> datasets,
                                std::vector<std::string> models);
  Task<Result<void>> log_outputs(std::string id, std::vector<ModelOutput> models);

  // Runs of these experiments (none named: no runs).
  Task<Result<PageOf<Run>>> search_runs(std::vector<int64_t> experiments, Search search);
  // In the order of step, time, value.
  Task<Result<PageOf<Metric>>> history(std::string id, std::string key, size_t limit,
                                       std::string page_token);
  // Up to `points` of the run's points with steps in [first, last], evenly over the steps, the last
  // one among them.
  Task<Result<std::vector<Metric>>> sampled(std::string id, std::string key, int64_t first,
                                            int64_t last, size_t points);

 private:
  Tracking(store::Database& database, const Clock& clock) : database_(database), clock_(clock) {}
  int64_t now_ms() const;

  store::Database& database_;
  const Clock& clock_;
};

}  // namespace holdfast::ml
