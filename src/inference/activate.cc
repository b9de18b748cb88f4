#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/digest.h"
#include "base/files.h"
#include "inference/repository.h"

namespace holdfast::inference {

namespace fs = std::filesystem;

// The version to begin with: the activated one, else the newest.
int64_t Repository::first_version(const std::string& name,
                                  const std::vector<int64_t>& on_disk) const {
  const auto text = read_file(directory_ + "/" + name + "/ACTIVE", 64);
  const auto active = text ? parse_u64(split(*text, '\n').front()) : std::nullopt;
  if (active && std::ranges::find(on_disk, static_cast<int64_t>(*active)) != on_disk.end())
    return static_cast<int64_t>(*active);
  return on_disk.back();
}

Result<void> Repository::forget_activation(const std::string& name) {
  const std::string folder = directory_ + "/" + name;
  if (::unlink((folder + "/ACTIVE").c_str()) == 0) return sync_directory(folder);
  if (errno == ENOENT) return {};
  return std::unexpected(errno_error(errno, "the mark of the activated version"));
}

Result<LoadedPtr> Repository::make_current(const std::string& name, int64_t version) {
  TRY(const auto versions, on_disk(name));
  if (std::ranges::find(versions, version) == versions.end())
    return fail(Code::not_found,
                "there is no version " + std::to_string(version) + " of '" + name + "'");
  TRY_VOID(lives_.check_free(name, version));
  LoadedPtr loaded;
  if (auto there = find(name, version)) {
    loaded = *there;
  } else {
    const std::string folder = directory_ + "/" + name + "/" + std::to_string(version);
    TRY(loaded, load_file(name, version, folder + "/model.onnx"));
  }
  // Only where a restart would choose another one.
  if (version != versions.back()) {
    TRY_VOID(replace_file(directory_ + "/" + name + "/ACTIVE",
                          as_bytes(std::to_string(version) + "\n")));
  } else {
    TRY_VOID(forget_activation(name));
  }
  publish(loaded, Place::chosen);
  return loaded;
}

Task<Result<LoadedPtr>> Repository::activate(std::string name, int64_t version) {
  CO_TRY_VOID(check_model_name(name));
  auto work = [this, &name, version] {
    const std::lock_guard changing(changing_);
    return make_current(name, version);
  };
  co_return co_await pool_.run(std::move(work));
}

Task<Result<void>> Repository::remove_all(std::string name) {
  CO_TRY_VOID(check_model_name(name));
  auto work = [this, &name]() -> Result<void> {
    const std::lock_guard changing(changing_);
    Group gone;  // destroyed outside the lock
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = groups_.find(name); found != groups_.end()) {
        std::swap(gone, found->second);
        groups_.erase(found);
      }
    }
    lives_.forget(name);
    if (!on_disk(name)) return {};
    // Out of sight in one step, then away.
    const std::string grave = directory_ + "/.incoming-" + hex(as_bytes(random_bytes(8)));
    if (::rename((directory_ + "/" + name).c_str(), grave.c_str()) != 0)
      return std::unexpected(errno_error(errno, "remove the model"));
    TRY_VOID(sync_directory(directory_));
    std::error_code error;
    fs::remove_all(grave, error);
    return {};
  };
  co_return co_await pool_.run(std::move(work));
}

}  // namespace holdfast::inference
