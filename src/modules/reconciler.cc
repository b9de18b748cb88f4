#include "modules/reconciler.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/json_reader.h"
#include "base/log.h"
#include "modules/model_state.h"

namespace holdfast::modules {

namespace json = boost::json;

Result<std::unique_ptr<Reconciler>> Reconciler::open(ReconcilerParts parts) {
  TRY(State state, State::open(parts.database));
  std::unique_ptr<Reconciler> out(new Reconciler(std::move(parts), state));
  TRY(out->lives_, out->state_.lives());
  TRY(out->models_, out->state_.models());
  TRY(const std::string body, out->state_.desired());
  if (!body.empty()) {
    TRY(const json::object desired, parse_json_object(body, "the kept desired properties"));
    TRY(Deployment deployment, parse_deployment(desired));
    out->take(std::move(deployment));
    out->status_.version = out->deployment_.version;
  }
  out->publish();
  return out;
}

void Reconciler::start(Executor executor, TaskGroup& group) {
  executor_ = executor;
  group_ = &group;
  group.spawn(executor, "modules", run());
}

Task<void> Reconciler::run() {
  while (true) {
    co_await tick();
    co_await wake_.wait(parts_.tick);
  }
}

Task<Result<void>> Reconciler::set_desired(json::object desired) {
  auto read = parse_deployment(desired);
  const JsonReader top(desired, "");
  status_.version = top.integer_or("$version", 0, 0, INT64_MAX).value_or(0);
  if (!read) {
    status_.code = status_code(read.error());
    status_.description = read.error().message();
    log::warning("modules", "the desired properties can not be used; the last ones stay",
                 {{"error", status_.description}});
    publish();
    co_return Result<void>();
  }
  CO_TRY_VOID(co_await state_.keep_desired(json::serialize(desired)));
  take(std::move(*read));
  status_.code = 200;
  status_.description.clear();
  log::info("modules", "a deployment came",
            {{"version", std::to_string(deployment_.version)},
             {"modules", std::to_string(deployment_.modules.size())}});
  publish();
  wake_.notify();
  co_return Result<void>();
}

void Reconciler::take(Deployment deployment) {
  std::set<std::string> clients;
  for (ModuleSpec& spec : deployment.modules) {
    if (spec.type == ModuleType::model) continue;
    spec.surroundings = parts_.surroundings;
    clients.insert(spec.name);
  }
  deployment_ = std::move(deployment);
  const std::lock_guard lock(mutex_);
  clients_ = std::move(clients);
}

std::set<std::string> Reconciler::clients() const {
  const std::lock_guard lock(mutex_);
  return clients_;
}

void Reconciler::retry_now() {
  retry_ = true;
  wake_.notify();
}

json::object Reconciler::reported() const {
  const std::lock_guard lock(mutex_);
  return reported_;
}

void Reconciler::publish() {
  json::object now = reported_properties(deployment_, status_, actual_, lives_, parts_.host,
                                         parts_.clock.now(), parts_.rule);
  {
    const std::lock_guard lock(mutex_);
    if (now == reported_) return;
    reported_ = std::move(now);
  }
  if (on_change_) on_change_();
}

const Actual* Reconciler::actual_of(std::string_view name) const {
  const auto found = std::ranges::find(actual_, name, &Actual::name);
  return found == actual_.end() ? nullptr : &*found;
}

bool Reconciler::still_wanted(const ModuleSpec& spec) const {
  const ModuleSpec* now = deployment_.find(spec.name);
  return now != nullptr && now->fingerprint() == spec.fingerprint();
}

Task<void> Reconciler::look() {
  std::vector<Actual> all;
  blind_.clear();
  const std::pair<ModuleType, ContainerEngine*> engines[] = {
      {ModuleType::docker, parts_.containers}, {ModuleType::process, parts_.processes}};
  for (const auto& [type, engine] : engines) {
    if (engine == nullptr) continue;
    auto found = co_await engine->list();
    if (!found) {
      // Nothing is known of them: they stay as they were, and nothing is done to them.
      log::warning("modules", "the engine does not answer", {{"error", found.error().message()}});
      for (const Actual& old : actual_)
        if (old.type == type) all.push_back(old);
      for (const ModuleSpec& spec : deployment_.modules)
        if (spec.type == type) blind_.insert(spec.name);
      for (const Actual& old : actual_)
        if (old.type == type) blind_.insert(old.name);
      continue;
    }
    for (Actual& one : *found) {
      one.type = type;
      all.push_back(std::move(one));
    }
  }
  actual_ = std::move(all);
  co_await look_at_models();
}

Task<void> Reconciler::look_at_models() {
  if (parts_.models == nullptr) co_return;
  const bool wanted =
      !models_.empty() || std::ranges::any_of(deployment_.modules, [](const ModuleSpec& spec) {
        return spec.type == ModuleType::model;
      });
  if (!wanted) co_return;
  auto served = co_await parts_.models->list();
  if (!served) {
    for (const auto& [name, model] : models_) blind_.insert(name);
    for (const ModuleSpec& spec : deployment_.modules)
      if (spec.type == ModuleType::model) blind_.insert(spec.name);
  }
  const std::vector<Served> all = served ? *served : std::vector<Served>();
  for (const auto& [name, model] : models_) {
    const ModuleSpec* spec = deployment_.find(name);
    actual_.push_back(model_state(model, spec != nullptr && !spec->canary.empty(), all));
  }
}

// Ends that nobody saw yet, and long health.
Task<void> Reconciler::note_ends() {
  const WallTime now = parts_.clock.now();
  for (const Actual& one : std::vector<Actual>(actual_)) {
    const auto found = lives_.find(one.name);
    if (found == lives_.end() || busy_.contains(one.name) || blind_.contains(one.name)) continue;
    Life life = found->second;
    if (one.state == Running::exited && life.last_exit < std::max(life.last_start, one.finished)) {
      life.last_exit = one.finished == WallTime{} ? now : one.finished;
      if (life.last_exit < life.last_start) life.last_exit = now;
      life.exit_code = one.exit_code;
      log::warning("modules", "a module has ended",
                   {{"module", one.name}, {"exit_code", std::to_string(one.exit_code)}});
    } else if (one.state == Running::running && recovered(life, now, parts_.rule)) {
      life.restarts = 0;
    } else {
      continue;
    }
    (void)co_await keep(one.name, std::move(life));
  }
}

Task<Result<void>> Reconciler::keep(std::string name, Life life) {
  lives_[name] = life;
  auto kept = co_await state_.keep_life(name, std::move(life));
  if (!kept)
    log::error("modules", "a module's life can not be kept",
               {{"module", name}, {"error", kept.error().message()}});
  co_return kept;
}

Task<void> Reconciler::tick() {
  co_await look();
  co_await note_ends();
  if (retry_.exchange(false)) {
    for (auto& [name, life] : lives_)
      if (!life.problem.empty()) life.last_exit = WallTime{};
  }
  std::set<std::string> untouched = busy_;
  untouched.insert(blind_.begin(), blind_.end());
  const auto actions =
      plan(deployment_, actual_, lives_, untouched, parts_.clock.now(), parts_.rule);
  for (const Action& action : actions) {
    busy_.insert(action.module);
    group_->spawn(*executor_, "module " + action.module, act(action));
  }
  publish();
}

Task<void> Reconciler::quiet() {
  while (!busy_.empty()) co_await ended_.wait(std::chrono::milliseconds(50));
}

Task<Result<std::string>> Reconciler::logs(std::string module, unsigned lines) {
  const Actual* actual = actual_of(module);
  if (actual == nullptr) co_return fail(Code::not_found, "there is no module '" + module + "'");
  CO_TRY(ContainerEngine * engine, engine_of(actual->type));
  co_return co_await engine->logs(std::move(module), lines);
}

}  // namespace holdfast::modules
