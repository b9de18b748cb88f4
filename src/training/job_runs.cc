#include "training/job_runs.h"

#include <fcntl.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>

#include "base/digest.h"
#include "base/log.h"
#include "net/file_source.h"
#include "store/objects/content_file.h"
#include "training/trigger.h"

namespace holdfast::training {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using jobs::Job;
using jobs::Lineage;
using jobs::Status;

// "digits:2, labels:1": what the images of the job's models are labelled with.
std::string data_text(const Job& job) {
  std::string out;
  for (const Lineage& one : job.lineage) {
    if (one.model) continue;
    out += (out.empty() ? "" : ", ") + one.asset + ":" + std::to_string(one.version);
  }
  return out;
}

std::vector<ml::DatasetInput> datasets(const Job& job) {
  std::vector<ml::DatasetInput> out;
  for (const Lineage& one : job.lineage) {
    if (one.model) continue;
    ml::DatasetInput input;
    input.dataset.name = one.asset;
    input.dataset.digest =
        one.digest.substr(0, 7) == "sha256:" ? one.digest.substr(7, 32) : one.digest.substr(0, 32);
    input.dataset.source_type = "data_asset";
    input.dataset.source = json::serialize(
        json::object{{"asset", one.asset}, {"version", one.version}, {"digest", one.digest}});
    input.tags = {{"mlflow.data.context", "training"}, {"holdfast.input", one.input}};
    out.push_back(std::move(input));
  }
  return out;
}

// Paths of all regular files below, relative to it.
std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; at != end; at.increment(error)) {
    if (error) break;
    if (at->is_regular_file(error) && !at->is_symlink(error))
      out.push_back(at->path().lexically_relative(folder));
  }
  return out;
}

}  // namespace

std::string run_id(const std::string& job, int64_t attempt) {
  return sha256_hex(as_bytes("job/" + job + "/" + std::to_string(attempt))).substr(0, 32);
}

jobs::Hooks JobRuns::hooks() {
  jobs::Hooks out;
  out.resolve_model = [this](jobs::Input input) { return resolve_model(std::move(input)); };
  out.fetch_model = [this](Lineage model, std::string folder) {
    return fetch_model(std::move(model), std::move(folder));
  };
  out.begin = [this](Job job) { return begin(std::move(job)); };
  out.finish = [this](Job job, Status status, std::string outputs) {
    return finish(std::move(job), status, std::move(outputs));
  };
  return out;
}

Task<Result<Lineage>> JobRuns::resolve_model(jobs::Input input) {
  const std::string name = input.data->asset;
  ml::ModelVersion found;
  if (!input.data->alias.empty()) {
    CO_TRY(found, co_await parts_.models->version_by_alias(name, input.data->alias));
  } else if (input.data->version > 0) {
    CO_TRY(found, co_await parts_.models->version(name, input.data->version));
  } else {
    CO_TRY(auto newest, co_await parts_.models->versions(name, 1));
    if (newest.empty())
      co_return fail(Code::not_found, "the model '" + name + "' has no version yet");
    found = std::move(newest.front());
  }
  if (found.root.empty())
    co_return fail(Code::invalid_argument, "the files of " + name + " version " +
                                               std::to_string(found.number) +
                                               " are not in this hub's artifacts");
  CO_TRY(const auto image, co_await parts_.builds->find(name, found.number));
  co_return Lineage{input.name, name, found.number, image ? image->onnx : "", true};
}

Task<Result<void>> JobRuns::fetch_model(Lineage model, std::string folder) {
  CO_TRY(const auto version, co_await parts_.models->version(model.asset, model.version));
  CO_TRY(const auto files, co_await parts_.artifacts->tree(version.root));
  for (const ml::ArtifactEntry& file : files) {
    CO_TRY(const auto open, co_await parts_.artifacts->open_file(version.root + "/" + file.name));
    auto write = [&] { return store::write_content(*open.content, fs::path(folder) / file.name); };
    CO_TRY_VOID(co_await pool_.run(std::move(write)));
  }
  co_return Result<void>();
}

Task<Result<jobs::Pairs>> JobRuns::begin(Job job) {
  CO_TRY(const auto experiment, co_await parts_.tracking->ensure_experiment(job.spec.experiment));
  // All before it: a hub that was killed on its way to here ended none.
  for (int64_t earlier = 1; earlier < job.attempt; ++earlier)
    CO_TRY_VOID(co_await end_run(job, earlier, ml::RunStatus::killed));
  ml::NewRun run;
  run.id = run_id(job.name, job.attempt);
  run.experiment = experiment.id;
  run.name = job.spec.display_name.empty() ? job.name : job.spec.display_name;
  run.user = "holdfast";
  run.tags = job.spec.tags;
  for (const auto& pair :
       {std::pair("mlflow.source.type", std::string("JOB")),
        std::pair("mlflow.source.name", job.name), std::pair("holdfast.job", job.name)})
    run.tags.emplace_back(pair.first, pair.second);
  const std::string id = run.id;
  CO_TRY_VOID(co_await parts_.tracking->create_run(std::move(run)));
  CO_TRY_VOID(co_await parts_.tracking->log_inputs(id, datasets(job), {}));
  jobs::Pairs variables{{"MLFLOW_TRACKING_URI", parts_.url()},
                        {"MLFLOW_RUN_ID", id},
                        {"MLFLOW_EXPERIMENT_ID", std::to_string(experiment.id)},
                        {"MLFLOW_TRACKING_TOKEN", parts_.token(id)}};
  co_return variables;
}

Task<Result<void>> JobRuns::finish(Job job, Status status, std::string outputs) {
  if (job.attempt == 0) co_return Result<void>();
  if (status == Status::completed) {
    for (const jobs::Output& output : job.spec.outputs) {
      if (output.model.empty()) continue;
      const auto done = co_await register_output(job, output, outputs + "/" + output.name);
      if (done) continue;
      if (may_pass(done.error())) co_return done;
      ml::Batch note;  // said where its people look: the job itself is over
      note.tags = {{"holdfast.not_registered." + output.name, done.error().message()}};
      CO_TRY_VOID(co_await parts_.tracking->log(run_id(job.name, job.attempt), std::move(note)));
    }
  }
  co_return co_await end_run(job, job.attempt,
                             status == Status::completed  ? ml::RunStatus::finished
                             : status == Status::canceled ? ml::RunStatus::killed
                                                          : ml::RunStatus::failed);
}

// Nothing where the attempt never came to its run.
Task<Result<void>> JobRuns::end_run(const Job& job, int64_t attempt, ml::RunStatus status) {
  const auto ended = co_await parts_.tracking->end_run(run_id(job.name, attempt), status);
  if (!ended && ended.error().code() != Code::not_found) co_return std::unexpected(ended.error());
  co_return Result<void>();
}

Task<Result<void>> JobRuns::register_output(const Job& job, const jobs::Output& output,
                                            const std::string& folder) {
  const std::string id = run_id(job.name, job.attempt);
  CO_TRY(const auto run, co_await parts_.tracking->run(id));
  auto look = [&folder] { return files_below(folder); };
  const std::vector<std::string> files = co_await pool_.run(std::move(look));
  if (files.empty()) co_return fail(Code::invalid_argument, "the job wrote nothing into it");
  const std::string root = run.artifact_root() + "/" + output.name;
  for (const std::string& name : files) {
    const std::string path = folder + "/" + name;
    CO_TRY(Fd fd, open_file(path, O_RDONLY | O_CLOEXEC));
    FileSource bytes(std::move(fd), pool_);
    CO_TRY_VOID(co_await parts_.artifacts->put(root + "/" + name, bytes, std::nullopt));
  }
  ml::NewVersion version;
  version.model = output.model;
  version.source = "runs:/" + id + "/" + output.name;
  version.run = id;
  version.root = root;
  version.user = "holdfast";
  version.source_key = "job/" + job.name + "/" + output.name;
  version.tags = {{"holdfast.job", job.name}, {"holdfast.data", data_text(job)}};
  CO_TRY_VOID(co_await parts_.models->ensure(output.model));
  CO_TRY(const auto made, co_await parts_.models->create_version(std::move(version)));
  log::info("training", "a model version was registered",
            {{"model", made.model}, {"version", std::to_string(made.number)}, {"job", job.name}});
  co_return Result<void>();
}

}  // namespace holdfast::training
