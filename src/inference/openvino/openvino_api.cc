#include "inference/openvino/openvino_api.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace holdfast::inference::openvino {
namespace {

namespace fs = std::filesystem;

// The library has no run path: what it needs is opened before it, from its own folder.
constexpr const char* kInOrder[] = {"libtbb.so.12", "libopenvino.so.", "libopenvino_c.so."};

std::string with_prefix(const fs::path& folder, std::string_view prefix) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with(prefix)) return entry.path().string();
  }
  return {};
}

void* open_from(const fs::path& folder) {
  void* last = nullptr;
  for (const char* name : kInOrder) {
    const std::string path = with_prefix(folder, name);
    last = path.empty() ? nullptr : ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (last == nullptr) return nullptr;
  }
  return last;
}

std::vector<fs::path> places_to_look() {
  std::vector<fs::path> places;
  if (const char* given = std::getenv("HOLDFAST_OPENVINO")) places.emplace_back(given);
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  places.push_back(self.parent_path() / "../lib/openvino");
  places.emplace_back(HOLDFAST_OPENVINO_LIBRARIES);
  return places;
}

Result<Api> open() {
  void* library = nullptr;
  std::string tried;
  for (const fs::path& place : places_to_look()) {
    library = open_from(place);
    if (library != nullptr) break;
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  if (library == nullptr)
    return fail(Code::unavailable, "OpenVINO is not found (looked at " + tried +
                                       "); run scripts/setup or set HOLDFAST_OPENVINO");
  Api api;
#define HOLDFAST_OPENVINO_FIND(name)                                       \
  api.name = reinterpret_cast<decltype(&::name)>(::dlsym(library, #name)); \
  if (api.name == nullptr) return fail(Code::unavailable, "this OpenVINO has no " #name);
  HOLDFAST_OPENVINO_FUNCTIONS(HOLDFAST_OPENVINO_FIND)
#undef HOLDFAST_OPENVINO_FIND
  return api;
}

}  // namespace

std::string libraries() {
  for (const fs::path& place : places_to_look()) {
    const std::string path = with_prefix(place, kInOrder[1]);
    if (!path.empty()) return path;
  }
  return {};
}

std::string Api::last_error() const {
  const char* said = ov_get_last_err_msg();
  std::string_view text = said == nullptr ? "" : said;
  // "Exception from src/core/…:12:\nCheck '…' failed at …:\nwhat is wrong\n": its end is for users.
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  if (const size_t at = text.rfind('\n'); at != std::string_view::npos) text.remove_prefix(at + 1);
  return text.empty() ? "OpenVINO does not say why" : std::string(text);
}

Result<const Api*> api() {
  static const Result<Api> opened = open();
  if (!opened) return std::unexpected(opened.error());
  return &*opened;
}

}  // namespace holdfast::inference::openvino
