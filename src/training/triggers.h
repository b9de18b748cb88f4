// Triggers and what they set off: the reconciler. It looks at what is (blobs, model versions, open
// firings) at start, when it is woken, and every minute; each look takes every open firing one step
// further where it can.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "blob/blobs.h"
#include "data/assets.h"
#include "iot/twins.h"
#include "jobs/jobs.h"
#include "ml/models.h"
#include "ml/tracking.h"
#include "net/wake.h"
#include "training/firings.h"
#include "training/model_builds.h"

namespace holdfast::training {

struct TriggerParts {
  store::Database* database;  // the one of ModelBuilds
  blob::Blobs* blobs;
  data::Assets* assets;
  jobs::Jobs* jobs;
  ml::Tracking* tracking;
  ml::Models* models;
  ModelBuilds* builds;
  iot::Twins* twins;
  const Clock* clock;
};

// Common failures: not_found, invalid_argument, unavailable, internal. Any thread may call, run()
// one task alone.
class Triggers {
 public:
  // On a database that ModelBuilds has opened. All parts must outlive it. Blocking.
  static Result<std::unique_ptr<Triggers>> open(TriggerParts parts);

  // Makes or replaces the trigger of this name; it fires on what comes after. `job` is the text of
  // create_job, `code` the id of its snapshot; both may be empty.
  Task<Result<Trigger>> put(std::string yaml, std::string job, std::string code);
  Task<Result<Trigger>> find(std::string name);
  Task<Result<std::vector<Trigger>>> list();
  // Its firings stay to be read; open ones end as failed.
  Task<Result<void>> remove(std::string name);
  // Fires now, on the data as they are or the newest model version, also where that has been.
  Task<Result<Firing>> fire(std::string name);
  Task<Result<std::vector<Firing>>> firings(std::string name,
                                            size_t limit);  // "" all; newest first

  Task<void> run();
  void wake() { wake_.notify(); }
  void blob_changed(const blob::BlobKey& key);  // the blobs' observer

 private:
  explicit Triggers(TriggerParts parts) : parts_(parts) {}
  struct Watch {
    std::string account, container;
    MonoTime changed;
    bool looked = false;  // since then
  };
  void watch(const TriggerSpec& spec);
  // How long the data of this trigger are to be left alone; 0: they count as looked at from now on.
  std::chrono::milliseconds take_due(const TriggerSpec& spec);
  Task<Result<int64_t>> newest_mark(const TriggerSpec& spec);
  Task<Result<void>> look_at_data(const Trigger& trigger);
  Task<Result<void>> look_at_models(const Trigger& trigger);
  Task<Result<void>> add_firing(Firing firing, int64_t seen);
  // Both do what can be done, and say how long nothing new is to be expected.
  Task<std::chrono::milliseconds> look();
  Task<std::chrono::milliseconds> look_at(const Trigger& trigger);

  // One step of an open firing; whether it went on.
  Task<Result<bool>> advance(Firing& firing, const Trigger& trigger);
  Task<Result<void>> step(Firing& firing, const Trigger& trigger);
  Task<Result<void>> submit(Firing& firing, const Trigger& trigger, State next);
  Task<Result<std::optional<jobs::Job>>> ended_job(const Firing& firing);
  Task<Result<void>> wait_for_image(Firing& firing, const Trigger& trigger);
  Task<Result<void>> evaluate(Firing& firing, const Trigger& trigger);
  Task<Result<void>> promote(Firing& firing, const Trigger& trigger);
  Task<Result<void>> deploy(Firing& firing, const Trigger& trigger);
  Task<Result<bool>> level(const Target& target, const BuiltImage& image);

  const TriggerParts parts_;
  Wake wake_;
  std::mutex mutex_;
  std::map<std::string, Watch> watched_;  // by trigger; under mutex_
};

}  // namespace holdfast::training
