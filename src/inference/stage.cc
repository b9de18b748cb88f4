// Versions that are not, or not any more, to answer everybody: candidates, and those that are held.
#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "inference/repository.h"

namespace holdfast::inference {

Result<void> Repository::pin_current(const std::string& name) {
  int64_t current = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto group = groups_.find(name);
    if (group != groups_.end())
      current = group->second.current ? group->second.current->version : group->second.evicted;
  }
  if (current == 0) return {};
  return replace_file(directory_ + "/" + name + "/ACTIVE",
                      as_bytes(std::to_string(current) + "\n"));
}

Task<Result<LoadedPtr>> Repository::stage(std::string name, int64_t version) {
  CO_TRY_VOID(check_model_name(name));
  auto work = [this, &name, version]() -> Result<LoadedPtr> {
    const std::lock_guard changing(changing_);
    TRY(const auto versions, on_disk(name));
    if (std::ranges::find(versions, version) == versions.end())
      return fail(Code::not_found,
                  "there is no version " + std::to_string(version) + " of '" + name + "'");
    TRY_VOID(lives_.check_free(name, version));
    TRY_VOID(pin_current(name));
    if (auto there = find(name, version)) return *there;
    const std::string folder = directory_ + "/" + name + "/" + std::to_string(version);
    TRY(LoadedPtr loaded, load_file(name, version, folder + "/model.onnx"));
    publish(loaded, Place::beside);
    return loaded;
  };
  co_return co_await pool_.run(std::move(work));
}

Result<void> Repository::settle(const std::string& name, int64_t version, TrialState how,
                                const std::string& reason) {
  const std::lock_guard changing(changing_);
  log::info("inference", "a trial has ended",
            {{"model", name},
             {"version", std::to_string(version)},
             {"state", std::string(to_string(how))},
             {"reason", reason}});
  if (how == TrialState::promoted) TRY_VOID(make_current(name, version));
  const bool refused = how == TrialState::rolled_back;
  const int64_t now_ms = SystemClock().now().time_since_epoch().count() / 1'000'000;
  const auto remember = [&](Life& life) {
    life.trial.reset();
    if (refused && life.held(version) == nullptr)
      life.holds.push_back({version, "refused", reason, now_ms});
  };
  TRY_VOID(lives_.change(name, remember));
  if (!refused) return {};
  LoadedPtr gone;  // destroyed outside the lock
  const std::lock_guard lock(mutex_);
  const auto group = groups_.find(name);
  if (group == groups_.end()) return {};
  if (const auto found = group->second.loaded.find(version);
      found != group->second.loaded.end() && found->second != group->second.current) {
    gone = std::move(found->second);
    group->second.loaded.erase(found);
  }
  group->second.failed[version] = "refused: " + reason;
  return {};
}

void Repository::resume(const std::string& name, const Life& life) {
  if (!life.trial) return;
  const TrialSpec& spec = *life.trial;
  const Group& group = groups_[name];
  const int64_t current = group.current ? group.current->version : group.evicted;
  Result<void> can;
  if (current == 0 || current == spec.version)
    can = fail(Code::conflict, "another version would have to be current");
  else
    can = lives_.check_free(name, spec.version);
  const std::string path =
      directory_ + "/" + name + "/" + std::to_string(spec.version) + "/model.onnx";
  if (can && !find(name, spec.version)) {
    auto loaded = load_file(name, spec.version, path);
    if (loaded)
      publish(*loaded, Place::beside);
    else
      can = std::unexpected(std::move(loaded).error());
  }
  if (can) return trials_.resume(name, spec, current);
  log::warning("inference", "a trial does not go on",
               {{"model", name}, {"error", can.error().message()}});
  if (auto kept = lives_.change(name, [](Life& known) { known.trial.reset(); }); !kept)
    log::error("inference", "the end of a trial could not be kept",
               {{"model", name}, {"error", kept.error().message()}});
}

Task<Result<void>> Repository::release(std::string name, int64_t version) {
  CO_TRY_VOID(check_model_name(name));
  auto work = [this, &name, version]() -> Result<void> {
    const std::lock_guard changing(changing_);
    if (lives_.check_free(name, version))
      return fail(Code::not_found,
                  "version " + std::to_string(version) + " of '" + name + "' is not held");
    TRY_VOID(lives_.change(name, [version](Life& life) { life.forget(version); }));
    bool serves = false;
    {
      const std::lock_guard lock(mutex_);
      Group& group = groups_[name];
      group.failed.erase(version);
      serves = group.current != nullptr || group.evicted != 0;
    }
    log::info("inference", "a version is released",
              {{"model", name}, {"version", std::to_string(version)}});
    if (serves) return {};
    // Nothing else answers, so this one does.
    TRY(const LoadedPtr loaded,
        load_file(name, version,
                  directory_ + "/" + name + "/" + std::to_string(version) + "/model.onnx"));
    publish(loaded);
    return {};
  };
  co_return co_await pool_.run(std::move(work));
}

}  // namespace holdfast::inference
