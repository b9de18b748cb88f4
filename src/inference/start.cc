// What the repository does when it begins: which version of each model is loaded.
#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/log.h"
#include "inference/pipeline.h"
#include "inference/repository.h"

namespace holdfast::inference {

namespace {

namespace fs = std::filesystem;

// It is a pipeline, and models of it are evicted.
bool lacks_evicted(const Repository& repository, const std::string& path) {
  if (!is_pipeline(path)) return false;
  const auto spec = read_pipeline(path);
  return spec && std::ranges::any_of(spec->steps, [&repository](const PipelineSpec::Step& step) {
           const auto found = repository.find(step.model);
           return !found && found.error().reason() == kEvictedReason;
         });
}

}  // namespace

Result<std::unique_ptr<Repository>> Repository::open(std::string directory, Engine& engine,
                                                     SchedulerOptions scheduling, Budget budget,
                                                     Care care) {
  TRY_VOID(make_directories(directory));
  TRY(auto page, RunningPage::open(care.running_file));
  if (!care.running_file.empty()) page->note_signals();
  std::unique_ptr<Repository> repository(new Repository(std::move(directory), engine, scheduling,
                                                        std::move(budget), std::move(care),
                                                        std::move(page)));
  std::error_code error;
  std::vector<std::string> models, pipelines;
  for (const auto& folder : fs::directory_iterator(repository->directory_, error)) {
    const std::string name = folder.path().filename();
    if (name.starts_with(".incoming")) {
      fs::remove_all(folder.path(), error);  // a stop came before its rename
      continue;
    }
    if (!check_model_name(name)) continue;
    const auto versions = repository->on_disk(name);
    if (!versions) continue;
    const std::string first = std::to_string(repository->first_version(name, *versions));
    (is_pipeline(folder.path() / first / "model.onnx") ? pipelines : models).push_back(name);
  }
  // A pipeline needs its models; trials need whatever they compare.
  models.insert(models.end(), pipelines.begin(), pipelines.end());
  std::vector<Life> lives;
  lives.reserve(models.size());
  for (const std::string& name : models) {
    lives.push_back(
        repository->lives_.begin(name, repository->page_->last(), repository->care_.quarantine));
    repository->load_first(name, lives.back());
  }
  for (size_t i = 0; i < models.size(); ++i) repository->resume(models[i], lives[i]);
  return repository;
}

void Repository::load_first(const std::string& name, const Life& life) {
  auto versions = on_disk(name);
  if (!versions) return;
  // The activated one comes before newer ones. A version that is damaged does not take the model
  // away while another is there.
  const auto first = std::ranges::find(*versions, first_version(name, *versions));
  std::rotate(first, std::next(first), versions->end());
  for (const Hold& hold : life.holds) groups_[name].failed[hold.version] = hold.text();
  const bool pinned = std::ranges::find(budget_.pinned, name) != budget_.pinned.end();
  std::error_code error;
  for (auto version = versions->rbegin(); version != versions->rend(); ++version) {
    if (life.held(*version) != nullptr) continue;
    const std::string path =
        directory_ + "/" + name + "/" + std::to_string(*version) + "/model.onnx";
    if (!pinned && (!fits(fs::file_size(path, error)) || lacks_evicted(*this, path))) {
      mark_evicted(name, *version, true);
      break;
    }
    auto loaded = load_file(name, *version, path);
    if (loaded) {
      publish(*loaded);
      break;
    }
    groups_[name].failed[*version] = loaded.error().message();
    log::error("inference", "a model could not be loaded",
               {{"model", name},
                {"version", std::to_string(*version)},
                {"error", loaded.error().message()}});
  }
}

Result<void> Repository::load_pipeline(Loaded& loaded, const std::string& path) {
  const auto find_now = [this](const std::string& model) { return find(model); };
  const auto find_for_good = [this](const std::string& model) -> Result<LoadedPtr> {
    auto found = bring_back(model, 0);
    if (found || found.error().code() != Code::not_found) return found;
    return fail(Code::invalid_argument, found.error().message());
  };
  TRY(const PipelineSpec spec, read_pipeline(path));
  TRY(loaded.pipeline, Pipeline::bind(spec, loaded.name, find_for_good));
  loaded.model = pipeline_model(loaded.pipeline, find_now);
  // What fails is one of its models, which has a breaker of its own.
  BreakerOptions breaker = care_.breaker;
  breaker.failures = 0;
  loaded.breaker.configure(breaker);
  return {};
}

}  // namespace holdfast::inference
