// Versions that may not serve: quarantined after crashes, or rolled back.
#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "inference/repository.h"

namespace holdfast::inference {

void Repository::remember(const std::string& name) {
  auto life = read_life(directory_ + "/" + name);
  if (!life) {
    log::error("inference", "what is remembered of a model cannot be read",
               {{"model", name}, {"error", life.error().message()}});
    return;
  }
  const int64_t now_ms = SystemClock().now().time_since_epoch().count() / 1'000'000;
  if (learn_from(page_->last(), name, now_ms, care_.quarantine, *life)) {
    if (auto kept = write_life(directory_ + "/" + name, *life); !kept)
      log::error("inference", "what is remembered of a model cannot be written",
                 {{"model", name}, {"error", kept.error().message()}});
  }
  for (const Hold& hold : life->holds) groups_[name].failed[hold.version] = hold.text();
  if (!life->holds.empty() || !life->crashes.empty()) lives_[name] = std::move(*life);
}

Result<void> Repository::check_free(const std::string& name, int64_t version) const {
  const std::lock_guard lock(mutex_);
  const auto life = lives_.find(name);
  const Hold* hold = life == lives_.end() ? nullptr : life->second.held(version);
  if (hold == nullptr) return {};
  return fail(Code::conflict, "held",
              "version " + std::to_string(version) + " of '" + name + "' is " + hold->text() +
                  "; release it first");
}

int64_t Repository::newest_free(const std::string& name,
                                const std::vector<int64_t>& on_disk) const {
  const auto free = std::find_if(on_disk.rbegin(), on_disk.rend(), [&](int64_t version) {
    return check_free(name, version).has_value();
  });
  return free == on_disk.rend() ? on_disk.back() : *free;
}

Result<void> Repository::forget_life(const std::string& name, int64_t version) {
  Life life;
  {
    const std::lock_guard lock(mutex_);
    const auto found = lives_.find(name);
    if (found == lives_.end()) return {};
    found->second.forget(version);
    life = found->second;
    if (life.holds.empty() && life.crashes.empty()) lives_.erase(found);
  }
  return write_life(directory_ + "/" + name, life);
}

Task<Result<void>> Repository::release(std::string name, int64_t version) {
  CO_TRY_VOID(check_model_name(name));
  auto work = [this, &name, version]() -> Result<void> {
    const std::lock_guard changing(changing_);
    if (check_free(name, version))
      return fail(Code::not_found,
                  "version " + std::to_string(version) + " of '" + name + "' is not held");
    TRY_VOID(forget_life(name, version));
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

std::vector<Hold> Repository::holds(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto life = lives_.find(name);
  return life == lives_.end() ? std::vector<Hold>() : life->second.holds;
}

}  // namespace holdfast::inference
