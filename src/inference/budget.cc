// Which models are in memory where not all fit: the least recently used makes room, and is loaded
// again when it is asked for.
#include <malloc.h>

#include <algorithm>
#include <tuple>

#include "base/bytes.h"
#include "base/log.h"
#include "inference/repository.h"
#include "inference/warm_up.h"

namespace holdfast::inference {

namespace {

uint64_t last_use(const Loaded& loaded) {
  return std::max(loaded.statistics.last_ms.load(), loaded.loaded_ms);
}

}  // namespace

uint64_t bytes_in_use() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

uint64_t Repository::bytes_loaded() const {
  uint64_t sum = 0;
  for (const auto& [name, group] : groups_) {
    for (const auto& [version, loaded] : group.loaded) sum += loaded->bytes;
  }
  return sum;
}

bool Repository::fits(uint64_t bytes) const {
  const std::lock_guard lock(mutex_);
  return budget_.bytes == 0 || bytes_loaded() + bytes <= budget_.bytes;
}

void Repository::mark_evicted(const std::string& name, int64_t version, bool current) {
  const std::lock_guard lock(mutex_);
  Group& group = groups_[name];
  group.failed[version] = kEvictedReason;
  if (current) group.evicted = version;
}

Result<void> Repository::make_room(const std::string& name, int64_t version, uint64_t bytes) {
  const bool tried = version == trials_.candidate(name);
  // A candidate does not push out the version that it is tried beside.
  const auto stays = [&](const std::string& model, const Group& group, const LoadedPtr& loaded) {
    return std::ranges::find(budget_.pinned, model) != budget_.pinned.end() ||
           (tried && model == name && loaded == group.current);
  };
  if (uint64_t fixed = bytes;
      budget_.bytes > 0) {  // nobody goes for what does not fit all the same
    const std::lock_guard lock(mutex_);
    for (const auto& [other, group] : groups_) {
      for (const auto& [number, loaded] : group.loaded)
        fixed += stays(other, group, loaded) ? loaded->bytes : 0;
    }
    if (fixed > budget_.bytes)
      return fail(Code::unavailable, "no_memory",
                  "the model '" + name + "' needs " + format_size(bytes) + ", and of the " +
                      format_size(budget_.bytes) + " for models too little is free");
  }
  while (!fits(bytes)) {
    LoadedPtr gone;  // destroyed outside the lock
    const std::lock_guard lock(mutex_);
    // Versions that are not current go first, the model that is being loaded last. The candidate of
    // a trial is as much in use as the version beside it, and goes before that one.
    using Key = std::tuple<bool, bool, uint64_t, bool>;
    Key best(true, true, UINT64_MAX, true);
    for (const auto& [other, group] : groups_) {
      const int64_t candidate = trials_.candidate(other);
      for (const auto& [number, loaded] : group.loaded) {
        if (stays(other, group, loaded)) continue;
        const bool current = loaded == group.current;
        const bool with_current = number == candidate && group.current;
        const Key key(other == name, current || number == candidate,
                      last_use(with_current ? *group.current : *loaded), current);
        if (gone && key >= best) continue;
        best = key;
        gone = loaded;
      }
    }
    if (!gone) return {};  // what was in the way has gone meanwhile
    Group& group = groups_[gone->name];
    group.loaded.erase(gone->version);
    group.failed[gone->version] = kEvictedReason;
    if (group.current == gone) {
      group.evicted = gone->version;
      group.current.reset();
    }
    log::info("inference", "a model makes room",
              {{"model", gone->name}, {"version", std::to_string(gone->version)}, {"for", name}});
  }
  return {};
}

Result<LoadedPtr> Repository::bring_back(const std::string& name, int64_t version) {
  auto found = find(name, version);  // another request may have been quicker
  if (found || found.error().reason() != kEvictedReason) return found;
  int64_t wanted = version, current = 0;
  {
    const std::lock_guard lock(mutex_);
    current = groups_[name].evicted;
    if (wanted == 0) wanted = current;
  }
  TRY(LoadedPtr loaded,
      load_file(name, wanted,
                directory_ + "/" + name + "/" + std::to_string(wanted) + "/model.onnx"));
  publish(loaded, wanted == current ? Place::chosen : Place::beside);
  return loaded;
}

Task<Result<LoadedPtr>> Repository::acquire(std::string name, int64_t version) {
  auto work = [this, &name, version] {
    const std::lock_guard changing(changing_);
    return bring_back(name, version);
  };
  auto found = find(name, version);
  if (found || found.error().reason() != kEvictedReason) co_return found;
  co_return co_await pool_.run(std::move(work));
}

}  // namespace holdfast::inference
