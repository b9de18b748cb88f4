#include "jobs/environment.h"

#include <algorithm>
#include <filesystem>

#include "base/digest.h"
#include "base/files.h"

namespace holdfast::jobs {
namespace {

namespace fs = std::filesystem;

constexpr int kMissing = 3;
// Says by its exit code whether each argument is installed in a fitting version.
constexpr std::string_view kCheck = R"(import importlib.metadata as metadata, sys
try:
    from packaging.requirements import Requirement
except ImportError:
    try:
        from pip._vendor.packaging.requirements import Requirement
    except ImportError:
        sys.exit(3)
for text in sys.argv[1:]:
    try:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        if wanted.extras or wanted.url:
            sys.exit(3)
        if not wanted.specifier.contains(metadata.version(wanted.name), prereleases=True):
            sys.exit(3)
    except (metadata.PackageNotFoundError, ValueError):
        sys.exit(3)
)";

Result<int> run(const Command& frame, std::vector<std::string> arguments,
                const Recorded& recorded) {
  Command command = frame;
  command.arguments = std::move(arguments);
  return run_command(command, recorded);
}

}  // namespace

Result<std::string> Environments::prepare(std::vector<std::string> requirements,
                                          const Command& frame, const Recorded& recorded) {
  std::ranges::sort(requirements);
  std::string base = fs::path(python_).parent_path();
  if (requirements.empty()) return base;
  std::string joined = python_;
  for (const std::string& requirement : requirements) joined += "\n" + requirement;
  const std::string digest = sha256_hex(as_bytes(joined));

  const std::lock_guard lock(one_at_a_time_);
  if (const auto found = ready_.find(digest); found != ready_.end()) return found->second;
  const fs::path home = fs::path(directory_) / digest;
  const fs::path done = home / "complete";
  std::error_code error;
  if (!fs::exists(done, error)) {
    std::vector<std::string> check{python_, "-c", std::string(kCheck)};
    check.insert(check.end(), requirements.begin(), requirements.end());
    TRY(const int missing, run(frame, std::move(check), recorded));
    if (missing == 0) return ready_[digest] = base;
    if (missing != kMissing)
      return fail(Code::internal, "the interpreter could not look for the requirements (exit " +
                                      std::to_string(missing) + "); see the log");
    TRY_VOID(make_directories(directory_, 0750));
    fs::remove_all(home, error);  // what an earlier one left half made
    const std::string made = home / "bin/python";
    std::vector<std::string> install{
        made, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--"};
    install.insert(install.end(), requirements.begin(), requirements.end());
    for (auto& arguments :
         {std::vector<std::string>{python_, "-m", "venv", "--system-site-packages", home},
          install}) {
      TRY(const int code, run(frame, arguments, recorded));
      if (code != 0)
        return fail(Code::internal, "the environment could not be prepared (exit " +
                                        std::to_string(code) + "); see the log");
    }
    TRY_VOID(replace_file(done, as_bytes(joined)));
  }
  return ready_[digest] = (home / "bin").string();
}

}  // namespace holdfast::jobs
