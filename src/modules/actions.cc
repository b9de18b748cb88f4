// The effects of the reconciler: each may be repeated, and leaves what runs alone until its
// successor is ready.
#include <fcntl.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <filesystem>

#include "base/log.h"
#include "modules/model_state.h"
#include "modules/reconciler.h"
#include "oci/fetch_model.h"

namespace holdfast::modules {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kStopGrace{10};

std::string_view word(Step step) {
  switch (step) {
    case Step::deploy:
      return "deploy";
    case Step::start:
      return "start";
    case Step::restart:
      return "restart";
    case Step::stop:
      return "stop";
    case Step::remove:
      return "remove";
  }
  return "unknown";
}

Pairs labels_of(const ModuleSpec& spec) {
  return {{"version", spec.version},
          {"restartPolicy", std::string(to_string(spec.restart))},
          {"desiredStatus", std::string(to_string(spec.status))},
          {"create-options", boost::json::serialize(spec.create_options)},
          {"original-image", spec.image}};
}

void put_variable(Pairs& all, const std::pair<std::string, std::string>& one) {
  const auto found = std::ranges::find(all, one.first, &std::pair<std::string, std::string>::first);
  if (found == all.end())
    all.push_back(one);
  else
    found->second = one.second;
}

}  // namespace

Result<ContainerEngine*> Reconciler::engine_of(ModuleType type) const {
  if (type == ModuleType::model)
    return fail(Code::unsupported, "a model runs in the inference server, not in an engine");
  ContainerEngine* engine = type == ModuleType::process ? parts_.processes : parts_.containers;
  if (engine == nullptr && type == ModuleType::process)
    return fail(Code::unsupported, "processes as modules are switched off here (processes: true)");
  if (engine == nullptr)
    return fail(Code::unsupported, "this device has no container engine (containers: socket)");
  return engine;
}

Task<void> Reconciler::act(Action action) {
  const std::string name = action.module;
  std::string fingerprint;
  if (const ModuleSpec* spec = deployment_.find(name)) fingerprint = spec->fingerprint();
  const Result<void> done = co_await perform(action);
  busy_.erase(name);
  if (action.step == Step::remove && done) {
    lives_.erase(name);
    (void)co_await state_.drop_life(name);
  } else {
    Life life = lives_[name];
    if (life.fingerprint != fingerprint) life = Life{};
    life.fingerprint = fingerprint;
    const WallTime now = parts_.clock.now();
    if (!done) {
      ++life.failures;
      life.attempted = true;
      life.last_exit = now;
      life.problem = done.error().message();
      log::warning(
          "modules", "an action failed",
          {{"module", name}, {"action", std::string(word(action.step))}, {"error", life.problem}});
    } else {
      const ModuleSpec* spec = deployment_.find(name);
      const bool started =
          action.step == Step::start || action.step == Step::restart ||
          (action.step == Step::deploy && spec != nullptr && spec->status == Wanted::running);
      life.failures = 0;
      life.problem.clear();
      if (started) life.attempted = true;
      if (started) life.last_start = now;
      if (action.step == Step::restart) {
        ++life.restarts;
        life.last_restart = now;
      }
      log::info("modules", std::string(word(action.step)), {{"module", name}});
    }
    (void)co_await keep(name, std::move(life));
  }
  ended_.notify();
  wake_.notify();
}

Task<Result<void>> Reconciler::perform(Action action) {
  const Actual* actual = actual_of(action.module);
  if (action.step == Step::remove)
    co_return co_await remove(action.module, actual != nullptr ? actual->type : ModuleType::docker);
  const ModuleSpec* found = deployment_.find(action.module);
  if (found == nullptr) co_return fail(Code::cancelled, "no longer wanted");
  ModuleSpec spec = *found;
  if (action.step == Step::deploy) co_return co_await deploy(std::move(spec));
  if (action.step != Step::stop) co_return co_await start_module(std::move(spec));
  if (spec.type == ModuleType::model) co_return co_await parts_.models->unload(spec.name);
  CO_TRY(ContainerEngine * engine, engine_of(spec.type));
  co_return co_await engine->stop(spec.name, kStopGrace);
}

Task<Result<void>> Reconciler::start_module(ModuleSpec spec) {
  if (spec.type == ModuleType::model) {
    const auto model = models_.find(spec.name);
    if (model == models_.end()) co_return fail(Code::not_found, "the model is not installed");
    auto done = co_await parts_.models->activate(spec.name, model->second.version);
    if (!done && done.error().code() == Code::not_found) {
      // Somebody removed it from the server: the next look finds it missing, and fetches it.
      models_.erase(spec.name);
      CO_TRY_VOID(co_await state_.drop_model(spec.name));
    }
    co_return done;
  }
  CO_TRY(ContainerEngine * engine, engine_of(spec.type));
  co_return co_await engine->start(spec.name);
}

Task<Result<void>> Reconciler::remove(std::string name, ModuleType type) {
  if (type == ModuleType::model) {
    if (parts_.models == nullptr) co_return fail(Code::unsupported, "no inference server here");
    CO_TRY_VOID(co_await parts_.models->remove(name));
    models_.erase(name);
    co_return co_await state_.drop_model(name);
  }
  CO_TRY(ContainerEngine * engine, engine_of(type));
  // Its own way to end first.
  const auto stopped = co_await engine->stop(name, kStopGrace);
  if (!stopped && stopped.error().code() != Code::not_found)
    log::warning("modules", "a module does not stop; it is killed",
                 {{"module", name}, {"error", stopped.error().message()}});
  co_return co_await engine->remove(std::move(name));
}

Task<Result<void>> Reconciler::deploy(ModuleSpec spec) {
  if (spec.type != ModuleType::model) co_return co_await deploy_container(std::move(spec));
  const std::string name = spec.name;
  const Actual* before = actual_of(name);
  const ModuleType old = before != nullptr ? before->type : ModuleType::model;
  CO_TRY_VOID(co_await deploy_model(std::move(spec)));
  if (old != ModuleType::model) co_return co_await remove(name, old);
  co_return Result<void>();
}

Task<Result<void>> Reconciler::deploy_container(ModuleSpec spec) {
  CO_TRY(ContainerEngine * engine, engine_of(spec.type));
  ContainerSpec wanted;
  wanted.name = spec.name;
  wanted.fingerprint = spec.fingerprint();
  wanted.image = spec.image;
  wanted.pull = spec.pull;
  wanted.create_options = spec.create_options;
  wanted.command = spec.command;
  wanted.env = spec.env;
  wanted.labels = labels_of(spec);
  for (const RegistryCredential& one : deployment_.registries)
    if (spec.image.starts_with(one.address + "/")) wanted.registry = one;
  if (parts_.environment) {
    CO_TRY(const Pairs ours, co_await parts_.environment(spec.name));
    for (const auto& variable : ours) put_variable(wanted.env, variable);
  }
  CO_TRY_VOID(co_await engine->prepare(wanted));
  if (!still_wanted(spec)) co_return fail(Code::cancelled, "superseded by a newer deployment");
  if (const Actual* there = actual_of(spec.name)) {
    const ModuleType type = there->type;
    CO_TRY_VOID(co_await remove(spec.name, type));
  }
  CO_TRY_VOID(co_await engine->create(wanted));
  if (spec.status == Wanted::stopped) co_return Result<void>();
  co_return co_await engine->start(spec.name);
}

Task<Result<void>> Reconciler::deploy_model(ModuleSpec spec) {
  if (parts_.models == nullptr || parts_.registry == nullptr)
    co_return fail(Code::unsupported, "this device has no inference server or no hub");
  CO_TRY(oci::Reference image, oci::parse_reference(spec.image));
  CO_TRY(oci::Digest layer, oci::Digest::parse(spec.digest));
  const int64_t version = static_cast<int64_t>(parse_u64(spec.version).value_or(0));
  // '@' is in no module's name, so no two modules share a beginning.
  const fs::path folder = fs::path(parts_.directory) / (spec.name + "@" + spec.digest.substr(7));
  CO_TRY(const oci::FetchedModel fetched,
         co_await oci::fetch_model(*parts_.registry, image, layer, folder, parts_.pool));
  if (fetched.model.name != spec.name || fetched.model.version != version)
    co_return fail(Code::invalid_argument,
                   "the layer holds version " + std::to_string(fetched.model.version) +
                       " of the model '" + fetched.model.name + "', not version " + spec.version +
                       " of '" + spec.name + "'");
  if (!still_wanted(spec)) co_return fail(Code::cancelled, "superseded by a newer deployment");
  CO_TRY(Fd fd, open_file(fetched.onnx, O_RDONLY | O_CLOEXEC));
  http::FileRange bytes{std::make_shared<Fd>(std::move(fd)), 0, fetched.model.size};
  const bool tried = !spec.canary.empty() && spec.status == Wanted::running;
  ModelServer::Put how{.beside = tried, .run = {}};
  if (const auto run = fetched.labels.find(oci::label::kRun); run != fetched.labels.end())
    how.run = run->second;
  CO_TRY(const std::string digest,
         co_await parts_.models->put(spec.name, version, std::move(bytes), std::move(how)));
  if (digest != fetched.model.onnx.str())
    co_return fail(Code::internal,
                   "the inference server took " + digest + " for " + fetched.model.onnx.str());
  if (!fetched.profile.empty()) {
    const auto kept = co_await parts_.models->set_profile(spec.name, version, fetched.profile);
    // It says nothing about whether the model's answers are right: it serves, unwatched.
    if (!kept && kept.error().code() != Code::invalid_argument)
      co_return std::unexpected(kept.error());
    if (!kept)
      log::warning("modules", "a model's profile is not used",
                   {{"module", spec.name}, {"error", kept.error().message()}});
  }
  InstalledModel installed{spec.name, spec.fingerprint(), version, digest};
  // Where nothing else answers there is nothing to try it beside.
  bool beside = false;
  if (tried) {
    CO_TRY(const auto served, co_await parts_.models->list());
    beside = serves_instead(spec.name, version, served) != 0;
  }
  if (beside) {
    CO_TRY_VOID(co_await parts_.models->try_out(spec.name, version, spec.canary));
  } else if (spec.status == Wanted::running) {
    CO_TRY_VOID(co_await parts_.models->activate(spec.name, version));
  } else {
    CO_TRY_VOID(co_await parts_.models->unload(spec.name));
  }
  models_[spec.name] = installed;
  CO_TRY_VOID(co_await state_.keep_model(std::move(installed)));
  // Also what earlier deployments of this model left.
  auto clean = [directory = parts_.directory, prefix = spec.name + "@"] {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error))
      if (entry.path().filename().string().starts_with(prefix)) fs::remove_all(entry.path(), error);
    return true;
  };
  (void)co_await parts_.pool.run(std::move(clean));
  co_return Result<void>();
}

}  // namespace holdfast::modules
