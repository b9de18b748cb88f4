#include "base/log.h"
#include "inference/repository.h"

namespace holdfast::inference {

Task<Result<LoadedPtr>> Repository::retune(std::string name, int64_t version) {
  auto work = [this, &name, version]() -> Result<LoadedPtr> {
    const std::lock_guard changing(changing_);
    TRY(const LoadedPtr old, find(name, version));
    const std::string path =
        directory_ + "/" + name + "/" + std::to_string(old->version) + "/model.onnx";
    TRY(LoadedPtr loaded, load_file(name, old->version, path));
    LoadedPtr gone;  // destroyed outside the lock
    const std::lock_guard lock(mutex_);
    Group& group = groups_[name];
    const auto there = group.loaded.find(loaded->version);
    if (there == group.loaded.end())  // evicted for the room that it needed itself
      return fail(Code::unavailable, "no_memory",
                  "there is no room for '" + name + "' twice while it is changed");
    if (group.current == there->second) group.current = loaded;
    gone = std::exchange(there->second, loaded);
    return loaded;
  };
  co_return co_await pool_.run(std::move(work));
}

}  // namespace holdfast::inference
