// What the repository tells about itself.
#include "inference/repository.h"

namespace holdfast::inference {

std::string Repository::unready() const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, group] : groups_) {
    if (group.current || group.evicted != 0) continue;
    for (const auto& [version, reason] : group.failed) {
      if (reason != kUnloadedReason)
        return "version " + std::to_string(version) + " of the model '" + name +
               "' does not serve: " + reason;
    }
  }
  return "";
}

std::vector<Entry> Repository::list() const {
  std::vector<Entry> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, group] : groups_) {
    for (const auto& [version, loaded] : group.loaded)
      out.push_back(Entry{name, version, "READY", loaded->breaker.reason(), loaded->digest,
                          loaded == group.current});
    for (const auto& [version, reason] : group.failed)
      out.push_back(Entry{name, version, "UNAVAILABLE", reason, "", version == group.evicted});
  }
  return out;
}

std::vector<int64_t> Repository::versions(std::string_view name) const {
  std::vector<int64_t> out;
  const std::lock_guard lock(mutex_);
  if (const auto group = groups_.find(name); group != groups_.end()) {
    for (const auto& [version, loaded] : group->second.loaded) out.push_back(version);
  }
  return out;
}

LoadedPtr Repository::other_than(const Loaded& loaded) const {
  const std::lock_guard lock(mutex_);
  const auto group = groups_.find(loaded.name);
  if (group == groups_.end()) return nullptr;
  for (auto it = group->second.loaded.rbegin(); it != group->second.loaded.rend(); ++it) {
    const Loaded& other = *it->second;
    if (other.version != loaded.version && !other.breaker.open() &&
        other.model->signature() == loaded.model->signature())
      return it->second;
  }
  return nullptr;
}

}  // namespace holdfast::inference
