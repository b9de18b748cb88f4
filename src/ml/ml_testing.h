// The whole domain on a database in memory.
#pragma once

#include "blob/blobs.h"
#include "ml/artifacts.h"
#include "ml/logged_models.h"
#include "ml/models.h"
#include "ml/tracking.h"
#include "store/objects/memory_objects.h"
#include "store/objects/testing.h"

namespace holdfast::ml {

struct MlRig : testing::Test, store::ObjectRig {
  FakeClock clock;
  std::unique_ptr<blob::Blobs> blobs;
  std::unique_ptr<Tracking> tracking;
  std::unique_ptr<Models> models;
  std::unique_ptr<LoggedModels> logged;
  std::unique_ptr<Artifacts> artifacts;

  void SetUp() override {
    database = *store::open_sqlite({":memory:"});
    objects = *store::open_memory_objects(*database);
    blobs = *blob::Blobs::open(*database, *objects, clock);
    tracking = *Tracking::open(*database, clock);
    models = std::make_unique<Models>(*database, clock);
    logged = std::make_unique<LoggedModels>(*database, clock);
    artifacts = *Artifacts::open(*blobs);
  }

  // With one run a millisecond, so that their order is known.
  ml::Run make_run(std::string id, int64_t experiment = 0, Pairs tags = {}) {
    clock.advance(std::chrono::milliseconds(1));
    NewRun run;
    run.id = std::move(id);
    run.experiment = experiment;
    run.tags = std::move(tags);
    return *run_task(tracking->create_run(std::move(run)));
  }
  Result<void> log(const std::string& run, Batch batch) {
    return run_task(tracking->log(run, std::move(batch)));
  }
  Result<void> log(const std::string& run, const std::string& key, double value, int64_t step = 0,
                   int64_t time = 1) {
    Batch batch;
    batch.metrics.push_back({.key = key, .value = value, .time_ms = time, .step = step});
    return log(run, std::move(batch));
  }
  Result<ModelVersion> make_version(const std::string& model, std::string source_key = "",
                                    std::string root = "") {
    EXPECT_TRUE(run_task(models->ensure(model)));
    NewVersion version;
    version.model = model;
    version.source = "models:/m-x";
    version.source_key = std::move(source_key);
    version.root = std::move(root);
    return run_task(models->create_version(std::move(version)));
  }
};

}  // namespace holdfast::ml
