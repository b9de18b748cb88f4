#include "inference/lives.h"

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"

namespace holdfast::inference {
namespace {

void complain(const std::string& name, const Error& error) {
  log::error("inference", "what is remembered of a model cannot be kept",
             {{"model", name}, {"error", error.message()}});
}

}  // namespace

Life Lives::begin(const std::string& name, const Death& death, const QuarantineOptions& options) {
  const std::string folder = directory_ + "/" + name;
  auto life = read_life(folder);
  if (!life) {
    complain(name, life.error());
    return {};
  }
  const int64_t now_ms = SystemClock().now().time_since_epoch().count() / 1'000'000;
  if (learn_from(death, name, now_ms, options, *life)) {
    if (auto kept = write_life(folder, *life); !kept) complain(name, kept.error());
  }
  const std::lock_guard lock(mutex_);
  if (!life->empty()) lives_[name] = *life;
  return *life;
}

Life Lives::of(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = lives_.find(name);
  return found == lives_.end() ? Life() : found->second;
}

Result<void> Lives::change(const std::string& name, const std::function<void(Life&)>& how) {
  const std::lock_guard changing(changing_);
  Life life = of(name);
  const bool knew = !life.empty();
  how(life);
  if (!knew && life.empty()) return {};
  TRY_VOID(write_life(directory_ + "/" + name, life));
  const std::lock_guard lock(mutex_);
  if (life.empty())
    lives_.erase(name);
  else
    lives_[name] = std::move(life);
  return {};
}

void Lives::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  lives_.erase(name);
}

Result<void> Lives::check_free(const std::string& name, int64_t version) const {
  const std::lock_guard lock(mutex_);
  const auto life = lives_.find(name);
  const Hold* hold = life == lives_.end() ? nullptr : life->second.held(version);
  if (hold == nullptr) return {};
  return fail(Code::conflict, "held",
              "version " + std::to_string(version) + " of '" + name + "' is " + hold->text() +
                  "; release it first");
}

int64_t Lives::newest_free(const std::string& name, const std::vector<int64_t>& versions) const {
  const auto free = std::find_if(versions.rbegin(), versions.rend(), [&](int64_t version) {
    return check_free(name, version).has_value();
  });
  return free == versions.rend() ? versions.back() : *free;
}

}  // namespace holdfast::inference
