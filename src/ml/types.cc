#include "ml/types.h"

#include <array>
#include <charconv>

#include "base/bytes.h"
#include "ml/logged_models.h"
#include "ml/models.h"

namespace holdfast::ml {
namespace {

constexpr std::array<std::string_view, 5> kRun = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED",
                                                  "KILLED"};
constexpr std::array<std::string_view, 3> kLogged = {"LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY",
                                                     "LOGGED_MODEL_UPLOAD_FAILED"};
constexpr std::array<std::string_view, 3> kVersion = {"PENDING_REGISTRATION", "FAILED_REGISTRATION",
                                                      "READY"};

template <class Enum, size_t N>
Result<Enum> enum_of(const std::array<std::string_view, N>& names, std::string_view text,
                     const char* what) {
  const auto number = parse_u64(text);
  for (size_t i = 0; i < N; ++i) {
    if (text == names[i] || (number && *number == i + 1)) return static_cast<Enum>(i + 1);
  }
  return fail(Code::invalid_argument, "'" + std::string(text) + "' is no " + what);
}

}  // namespace

std::string_view to_string(RunStatus status) {
  return kRun[static_cast<size_t>(status) - 1];
}
Result<RunStatus> run_status_of(std::string_view text) {
  return enum_of<RunStatus>(kRun, text, "status of a run");
}
std::string_view to_string(LoggedStatus status) {
  return kLogged[static_cast<size_t>(status) - 1];
}
Result<LoggedStatus> logged_status_of(std::string_view text) {
  return enum_of<LoggedStatus>(kLogged, text, "status of a logged model");
}
std::string_view to_string(VersionStatus status) {
  return kVersion[static_cast<size_t>(status)];
}

std::string Run::artifact_root() const {
  return std::to_string(experiment) + "/" + id + "/artifacts";
}
std::string LoggedModel::artifact_root() const {
  return std::to_string(experiment) + "/models/" + id + "/artifacts";
}

}  // namespace holdfast::ml
