// Profiles beside the versions in the repository.
#include <filesystem>

#include "base/files.h"
#include "base/log.h"
#include "inference/drift/profile.h"
#include "inference/repository.h"

namespace holdfast::inference {
namespace {

Result<ProfilePtr> fitting(std::string_view text, const Loaded& loaded) {
  TRY(ProfilePtr profile, parse_profile(text, loaded.model->signature()));
  if (!profile->model_digest.empty() && profile->model_digest != loaded.digest)
    return fail(Code::invalid_argument, std::string(kProfileFile) +
                                            ".model_digest: the profile was made for the model " +
                                            profile->model_digest + ", this is " + loaded.digest);
  return profile;
}

}  // namespace

void read_profile(Loaded& loaded, const std::string& folder) {
  const auto text = read_file(folder + "/" + kProfileFile, kMostProfile);
  if (!text && text.error().code() == Code::not_found) return;
  auto profile = text ? fitting(*text, loaded)
                      : fail(text.error().code(), std::string(kProfileFile) + " cannot be read");
  if (profile) return loaded.profile.set(std::move(*profile));
  // It says nothing about whether the model's answers are right: it serves, unwatched.
  loaded.profile.set(nullptr, profile.error().message());
  log::warning("drift", "a profile is not used",
               {{"model", loaded.name},
                {"version", std::to_string(loaded.version)},
                {"error", profile.error().message()}});
}

Task<Result<void>> Repository::set_profile(std::string name, int64_t version, std::string text) {
  auto work = [this, &name, version, &text]() -> Result<void> {
    const std::lock_guard changing(changing_);
    TRY(const LoadedPtr loaded, find(name, version));
    TRY(ProfilePtr profile, fitting(text, *loaded));
    TRY_VOID(
        replace_file(directory_ + "/" + name + "/" + std::to_string(version) + "/" + kProfileFile,
                     as_bytes(text)));
    loaded->profile.set(std::move(profile));
    return {};
  };
  co_return co_await pool_.run(std::move(work));
}

}  // namespace holdfast::inference
