// Where an answer came from: a digest back to the image, the model version, its run, the job that
// made it, and the data that the job read.
#pragma once

#include "data/assets.h"
#include "jobs/jobs.h"
#include "ml/models.h"
#include "ml/tracking.h"
#include "training/model_builds.h"

namespace holdfast::training {

struct TraceParts {
  ml::Models* models;
  ml::Tracking* tracking;
  ModelBuilds* builds;
  jobs::Jobs* jobs;
  data::Assets* assets;
};

struct Trace {
  ml::ModelVersion version;
  std::optional<BuiltImage> image;  // nullopt: not built yet
  std::optional<ml::Run> run;       // nullopt: it was registered without one, or that is gone
  std::optional<jobs::Job> job;     // nullopt: no job made it
  struct Data {
    jobs::Lineage input;
    std::optional<data::Version> version;  // nullopt: it was deleted
  };
  std::vector<Data> data;
};

// not_found where there is no such version. `parts` must outlive the call.
Task<Result<Trace>> trace_version(TraceParts parts, ml::ModelVersion version);
// Of the image, of its model layer or of its model.onnx; with or without "sha256:". not_found
// "digest_not_found".
Task<Result<Trace>> trace_digest(TraceParts parts, std::string digest);

}  // namespace holdfast::training
