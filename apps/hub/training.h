// Training as a part of the program: experiments and models, jobs, images of models, triggers; one
// database, <data>/db/ml.db.
#pragma once

#include <memory>

#include "config.h"
#include "identity/tokens.h"
#include "images.h"
#include "iot/hub.h"
#include "ml/http/service.h"
#include "net/task_group.h"
#include "training/http/api.h"
#include "training/job_runs.h"

namespace holdfast {

struct TrainingParts {
  const identity::TokenIssuer* issuer;
  data::Assets* assets;
  blob::Blobs* blobs;
  iot::Hub* iot;
  registry::ModelImages* images;
  const Clock* clock;
};

class TrainingPart {
 public:
  // Adds the routes to `router`, and asks `parts.blobs` to tell of changes. All must outlive it.
  static Result<std::unique_ptr<TrainingPart>> open(const HubConfig& config, TrainingParts parts,
                                                    http::Router& router);
  // `url`: where jobs reach the hub.
  Result<void> start(Runtime& runtime, std::string url);
  void stop();

  jobs::Jobs& jobs() { return *jobs_; }
  ml::Models& models() { return *models_; }
  training::Triggers& triggers() { return *triggers_; }

 private:
  explicit TrainingPart(TrainingParts parts) : parts_(parts) {}
  Result<void> open_experiments();
  Result<void> open_loop(const HubConfig& config);

  const TrainingParts parts_;
  std::string url_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<ml::Tracking> tracking_;
  std::unique_ptr<ml::Models> models_;
  std::unique_ptr<ml::LoggedModels> logged_models_;
  std::unique_ptr<ml::Artifacts> artifacts_;
  std::unique_ptr<training::ModelBuilds> builds_;
  std::unique_ptr<training::JobRuns> runs_;
  std::unique_ptr<jobs::Jobs> jobs_;
  std::unique_ptr<training::Triggers> triggers_;
  TaskGroup group_;
};

}  // namespace holdfast
