#include "images.h"

#include <cstdlib>
#include <filesystem>

namespace holdfast {
namespace {

namespace fs = std::filesystem;

// Where holdfast-serve looks for it too: the variable, beside the program, where it was built from.
std::string onnxruntime_beside(const fs::path& folder) {
  if (const char* given = std::getenv("HOLDFAST_ONNXRUNTIME")) return given;
  const fs::path installed = folder / "../lib/libonnxruntime.so.1";
  std::error_code error;
  return fs::exists(installed, error) ? installed.string() : HOLDFAST_ONNXRUNTIME_LIBRARY;
}

}  // namespace

Result<Images> open_images(const HubConfig& config, store::Database& storage,
                           store::ObjectStore& objects, const Clock& clock, http::Router& router) {
  Images images;
  TRY(images.registry, registry::Registry::open(storage, objects, clock));
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  registry::ModelImagesOptions options;
  options.directory = config.data + "/images";
  options.program = folder / "holdfast-serve";
  options.onnxruntime = onnxruntime_beside(folder);
  TRY(images.models, registry::ModelImages::open(std::move(options), *images.registry));
  registry::mount(router, *images.registry);
  registry::mount_models(router, *images.models, clock);
  return images;
}

}  // namespace holdfast
