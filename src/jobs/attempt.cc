// What an attempt finds when it starts: its inputs, its folders, its command.
#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "jobs/code.h"
#include "jobs/jobs.h"
#include "jobs/rows.h"

namespace holdfast::jobs {
namespace {

namespace fs = std::filesystem;
using store::Tx;

// Paths stand unquoted in the user's command: whatever a shell would read otherwise is avoided by
// going from the code's folder, where the command starts.
std::string shell_path(const std::string& folder, const std::string& below) {
  const bool plain = std::ranges::all_of(folder, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '.' || c == '_' || c == '-';
  });
  return (plain ? folder : std::string("..")) + "/" + below;
}

Result<std::string> only_file(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder));
  }
  if (files.size() == 1) return std::move(files.front());
  return fail(Code::invalid_argument,
              "an input of type uri_file needs a data version of one file; "
              "this one has " +
                  std::to_string(files.size()));
}

bool is_plain(std::string_view name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '/';
  });
}

}  // namespace

// Once: an attempt after another one reads the same versions.
Task<Result<void>> Jobs::resolve(Job& job) {
  if (!job.lineage.empty()) co_return Result<void>();
  for (const Input& input : job.spec.inputs) {
    if (!input.data) continue;
    if (input.is_model()) {
      CO_TRY(Lineage found, co_await options_.hooks.resolve_model(input));
      job.lineage.push_back(std::move(found));
      continue;
    }
    CO_TRY(const data::Version found,
           co_await assets_.find(input.data->asset, input.data->version));
    job.lineage.push_back({input.name, found.asset, found.number, found.digest, false});
  }
  auto work = [name = job.name, lineage = lineage_json(job.lineage)](Tx& tx) -> Result<void> {
    TRY_VOID(tx.run("UPDATE job SET lineage = ? WHERE name = ?",
                    {std::string_view(lineage), std::string_view(name)}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

Result<void> Jobs::make_folders(const Job& job) {
  const std::string folder = attempt_path(job);
  std::error_code error;
  fs::remove_all(folder, error);
  TRY_VOID(make_directories(folder + "/code", 0750));
  TRY_VOID(make_directories(folder + "/outputs", 0750));
  for (const Lineage& input : job.lineage)
    TRY_VOID(make_directories(folder + "/inputs/" + input.input, 0750));
  for (const Output& output : job.spec.outputs)
    TRY_VOID(make_directories(folder + "/outputs/" + output.name, 0750));
  if (job.code.empty()) return {};
  return unpack_code(options_.directory + "/code", job.code, folder + "/code");
}

Task<Result<void>> Jobs::fill_inputs(const Job& job) {
  for (const Lineage& input : job.lineage) {
    const std::string folder = attempt_path(job) + "/inputs/" + input.input;
    if (input.model) {
      CO_TRY_VOID(co_await options_.hooks.fetch_model(input, folder));
      continue;
    }
    CO_TRY_VOID(co_await assets_.materialise(input.asset, input.version, folder, pool_));
  }
  co_return Result<void>();
}

Result<std::string> Jobs::bound_command(const Job& job) {
  const std::string folder = attempt_path(job);
  const BoundValue value = [&](std::string_view kind,
                               std::string_view name) -> Result<std::string> {
    const std::string below = std::string(kind) + "/" + std::string(name);
    if (kind == "outputs") return shell_path(folder, below);
    for (const Input& input : job.spec.inputs) {
      if (input.name != name) continue;
      if (!input.data) return input.literal;
      if (input.type != "uri_file") return shell_path(folder, below);
      TRY(const std::string file, only_file(folder + "/" + below));
      if (!is_plain(file))
        return fail(Code::invalid_argument,
                    "the file '" + file + "' can not stand in a command; use uri_folder");
      return shell_path(folder, below + "/" + file);
    }
    return fail(Code::internal, "the input '" + std::string(name) + "' is gone");
  };
  return bind_command(job.spec.command, value);
}

}  // namespace holdfast::jobs
