// What the repository finds in memory, and tells about itself.
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

Result<LoadedPtr> Repository::find(std::string_view name, int64_t version) const {
  const std::lock_guard lock(mutex_);
  const auto group = groups_.find(name);
  if (group == groups_.end())
    return fail(Code::not_found, "there is no model '" + std::string(name) + "'");
  if (version == 0 && group->second.current) return group->second.current;
  if (version == 0) version = group->second.evicted;
  if (const auto out = group->second.failed.find(version);
      out != group->second.failed.end() && out->second == kEvictedReason)
    return fail(Code::unavailable, kEvictedReason,
                "the model '" + std::string(name) + "' made room for others");
  if (version == 0) {
    return fail(
        Code::unavailable,
        "the model '" + std::string(name) + "' is not loaded" +
            (group->second.failed.empty() ? "" : ": " + group->second.failed.rbegin()->second));
  }
  if (const auto found = group->second.loaded.find(version); found != group->second.loaded.end())
    return found->second;
  const std::string text =
      "version " + std::to_string(version) + " of the model '" + std::string(name) + "'";
  if (const auto failed = group->second.failed.find(version); failed != group->second.failed.end())
    return fail(Code::unavailable, text + " is not loaded: " + failed->second);
  return fail(Code::not_found, text + " is not loaded");
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
