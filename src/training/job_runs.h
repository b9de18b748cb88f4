// The hooks of jobs: an attempt is a run of its experiment, and an output that names a model
// becomes a version of it, once. Also where jobs get models that they read.
#pragma once

#include <functional>

#include "jobs/jobs.h"
#include "ml/artifacts.h"
#include "ml/logged_models.h"
#include "ml/models.h"
#include "ml/tracking.h"
#include "training/model_builds.h"

namespace holdfast::training {

struct JobRunsParts {
  ml::Tracking* tracking;
  ml::Models* models;
  ml::Artifacts* artifacts;
  ModelBuilds* builds;
  // What a job's script reaches the tracking server with: its URL, and a token for this run alone.
  std::function<std::string()> url;
  std::function<std::string(const std::string& run)> token;
};

// The id of the run of this attempt: 32 hex digits.
std::string run_id(const std::string& job, int64_t attempt);

// Any thread may call. All parts must outlive it.
class JobRuns {
 public:
  explicit JobRuns(JobRunsParts parts) : parts_(std::move(parts)), pool_("outputs", 1) {}
  jobs::Hooks hooks();

 private:
  Task<Result<jobs::Lineage>> resolve_model(jobs::Input input);
  Task<Result<void>> fetch_model(jobs::Lineage model, std::string folder);
  Task<Result<jobs::Pairs>> begin(jobs::Job job);
  Task<Result<void>> finish(jobs::Job job, jobs::Status status, std::string outputs);
  Task<Result<void>> end_run(const jobs::Job& job, int64_t attempt, ml::RunStatus status);
  Task<Result<void>> register_output(const jobs::Job& job, const jobs::Output& output,
                                     const std::string& folder);

  JobRunsParts parts_;
  BlockingPool pool_;
};

}  // namespace holdfast::training
