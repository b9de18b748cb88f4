#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/digest.h"
#include "base/files.h"
#include "inference/repository.h"
#include "inference/warm_up.h"

namespace holdfast::inference {

namespace fs = std::filesystem;

Task<Result<void>> Repository::unload(std::string name) {
  Group gone;
  {
    const std::lock_guard lock(mutex_);
    const auto found = groups_.find(name);
    if (found == groups_.end()) co_return fail(Code::not_found, "there is no model '" + name + "'");
    std::swap(gone, found->second);
    // What failed before is now off as well: nobody waits for it.
    for (const auto& [version, reason] : gone.failed)
      found->second.failed[version] = kUnloadedReason;
    if (gone.current) found->second.failed[gone.current->version] = kUnloadedReason;
  }
  co_return Result<void>();
}

Task<Result<void>> Repository::remove(std::string name, int64_t version) {
  CO_TRY_VOID(check_model_name(name));
  auto work = [this, &name, version]() -> Result<void> {
    const std::lock_guard changing(changing_);
    TRY(const auto versions, on_disk(name));
    if (std::find(versions.begin(), versions.end(), version) == versions.end())
      return fail(Code::not_found,
                  "there is no version " + std::to_string(version) + " of '" + name + "'");
    const bool only = versions.size() == 1;
    if (auto serving = find(name); serving && (*serving)->version == version && !only)
      return fail(Code::conflict,
                  "version " + std::to_string(version) + " is serving; load another one first");
    // Out of sight in one step, then away.
    const std::string grave = directory_ + "/.incoming-" + hex(as_bytes(random_bytes(8)));
    if (::rename((directory_ + "/" + name + "/" + std::to_string(version)).c_str(),
                 grave.c_str()) != 0)
      return std::unexpected(errno_error(errno, "remove version"));
    TRY_VOID(sync_directory(directory_ + "/" + name));
    Group gone;  // destroyed outside the lock
    {
      const std::lock_guard lock(mutex_);
      if (const auto group = groups_.find(name); group != groups_.end() && only) {
        gone = std::move(group->second);
        groups_.erase(group);
      } else if (group != groups_.end()) {
        group->second.failed.erase(version);
        if (group->second.evicted == version) group->second.evicted = 0;
        std::swap(gone.loaded[version], group->second.loaded[version]);
        group->second.loaded.erase(version);
      }
    }
    const auto digest = digest_of(grave + "/model.onnx");
    const std::vector<Entry> others = list();
    if (digest && std::ranges::find(others, *digest, &Entry::digest) == others.end())
      engine_.forget(*digest);
    std::error_code error;
    fs::remove_all(grave, error);
    TRY_VOID(lives_.change(name, [version](Life& life) { life.forget(version); }));
    if (only) {
      TRY_VOID(forget_activation(name));
      fs::remove(directory_ + "/" + name, error);
    }
    return {};
  };
  co_return co_await pool_.run(std::move(work));
}

}  // namespace holdfast::inference
