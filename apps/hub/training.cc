#include "training.h"

#include <filesystem>

#include "base/log.h"
#include "jobs/http/api.h"

namespace holdfast {
namespace {

constexpr auto kRunTokenLife = std::chrono::hours(24 * 30);  // longer than any job

// So that the first model does not wait for it.
Task<void> prepare(registry::ModelImages& images) {
  const auto done = co_await images.prepare();
  if (!done && done.error().code() != Code::cancelled)
    log::warning("registry", "the runtime layer of models' images can not be built",
                 {{"error", done.error().message()}});
}

}  // namespace

Result<std::unique_ptr<TrainingPart>> TrainingPart::open(const HubConfig& config,
                                                         TrainingParts parts,
                                                         http::Router& router) {
  std::unique_ptr<TrainingPart> part(new TrainingPart(parts));
  TRY(part->database_, store::open_sqlite({config.data + "/db/ml.db", 1}));
  TRY_VOID(part->open_experiments());
  TRY_VOID(part->open_loop(config));
  jobs::mount(router, *part->jobs_);
  training::mount(router,
                  {part->models_.get(), part->tracking_.get(), part->builds_.get(),
                   part->jobs_.get(), parts.assets},
                  *part->triggers_);
  ml::mount(router,
            {part->tracking_.get(), part->models_.get(), part->logged_models_.get(),
             part->artifacts_.get()},
            parts.issuer->authenticator());
  return part;
}

Result<void> TrainingPart::open_experiments() {
  TRY(tracking_, ml::Tracking::open(*database_, *parts_.clock));
  models_ = std::make_unique<ml::Models>(*database_, *parts_.clock);
  logged_models_ = std::make_unique<ml::LoggedModels>(*database_, *parts_.clock);
  TRY(artifacts_, ml::Artifacts::open(*parts_.blobs));
  return {};
}

Result<void> TrainingPart::open_loop(const HubConfig& config) {
  training::ModelBuilds::Publish publish =
      [images = parts_.images](oci::ModelDescription description, ByteSource& onnx) {
        return images->publish(std::move(description), onnx);
      };
  TRY(builds_, training::ModelBuilds::open(*database_, *models_, *artifacts_, std::move(publish),
                                           *parts_.clock));
  training::JobRunsParts runs{
      tracking_.get(), models_.get(), artifacts_.get(), builds_.get(), {}, {}};
  runs.url = [this] { return url_; };
  runs.token = [this](const std::string& run) {
    return parts_.issuer->issue(
        {run, std::string(ml::kRunRole), parts_.clock->now() + kRunTokenLife});
  };
  runs_ = std::make_unique<training::JobRuns>(std::move(runs));
  std::error_code error;
  jobs::Options options;
  options.directory = std::filesystem::absolute(config.data, error).lexically_normal();
  options.python = config.jobs_python;
  options.slots = config.jobs_slots;
  options.environments = config.jobs_environments;
  options.hooks = runs_->hooks();
  TRY(jobs_, jobs::Jobs::open(std::move(options), *database_, *parts_.assets, *parts_.clock));
  TRY(triggers_, training::Triggers::open({database_.get(), parts_.blobs, parts_.assets,
                                           jobs_.get(), tracking_.get(), models_.get(),
                                           builds_.get(), &parts_.iot->twins(), parts_.clock}));
  parts_.blobs->observe(
      [triggers = triggers_.get()](const blob::BlobKey& key) { triggers->blob_changed(key); });
  models_->observe([this](const ml::ModelVersion&) {
    builds_->wake();
    triggers_->wake();
  });
  builds_->on_built([triggers = triggers_.get()] { triggers->wake(); });
  return {};
}

Result<void> TrainingPart::start(Runtime& runtime, std::string url) {
  url_ = std::move(url);
  TRY_VOID(jobs_->start(runtime));
  group_.spawn(runtime.next_executor(), "prepare", prepare(*parts_.images));
  group_.spawn(runtime.next_executor(), "builds", builds_->run());
  group_.spawn(runtime.next_executor(), "triggers", triggers_->run());
  return {};
}

void TrainingPart::stop() {
  jobs_->stop();
  parts_.images->stop();
  group_.cancel();
  run_task(group_.join());
}

}  // namespace holdfast
