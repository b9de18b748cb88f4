#include "cli/job_file.h"

#include <filesystem>

#include "base/files.h"
#include "base/yaml.h"
#include "oci/tar.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kYaml = 256 << 10;
constexpr uint64_t kCode = 32 << 20;  // the hub's limit

Result<std::string> pack(const fs::path& folder) {
  std::vector<oci::TarEntry> entries;
  uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error), end;
  for (; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    if (name.starts_with('.') || name == "__pycache__") {
      if (at->is_directory(error)) at.disable_recursion_pending();
      continue;
    }
    if (!at->is_regular_file(error)) continue;
    bytes += at->file_size(error);
    if (bytes > kCode)
      return fail(Code::too_large, folder.string() +
                                       " holds more than 32 MiB; code is for scripts, "
                                       "data belong into a data asset");
    const auto mode = at->status(error).permissions() & fs::perms::owner_exec;
    entries.push_back(oci::tar_file_from(at->path().lexically_relative(folder), at->path(),
                                         mode == fs::perms::none ? 0644 : 0755));
  }
  if (error)
    return fail(Code::not_found, "the code folder " + folder.string() + ": " + error.message());
  std::string tar;
  TRY_VOID(oci::write_tar(std::move(entries), [&tar](ByteView part) -> Result<void> {
    tar += as_text(part);
    return {};
  }));
  return tar;
}

}  // namespace

Result<JobFile> read_job_file(const std::string& path) {
  JobFile out;
  TRY(out.yaml, read_file(path, kYaml));
  TRY(YamlMap map, YamlMap::parse(out.yaml, path));
  TRY(const std::string code, map.text_or("code", ""));
  if (code.empty()) return out;
  TRY(out.code, pack((fs::path(path).parent_path() / code).lexically_normal()));
  return out;
}

}  // namespace holdfast::cli
