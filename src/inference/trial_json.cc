#include "inference/trial_json.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "base/bytes.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;

struct Field {
  std::string_view name;
  std::variant<double TrialSpec::*, uint64_t TrialSpec::*, bool TrialSpec::*,
               std::chrono::milliseconds TrialSpec::*>
      member;
};
constexpr Field kFields[] = {{"share", &TrialSpec::share},
                             {"shadow", &TrialSpec::shadow},
                             {"min_requests", &TrialSpec::min_requests},
                             {"max_error_rate", &TrialSpec::max_error_rate},
                             {"max_latency_ratio", &TrialSpec::max_latency_ratio},
                             {"latency_slack_ms", &TrialSpec::latency_slack},
                             {"max_disagreement", &TrialSpec::max_disagreement},
                             {"tolerance", &TrialSpec::tolerance},
                             {"compare_values", &TrialSpec::compare_values},
                             {"promote_after", &TrialSpec::promote_after},
                             {"promote_time_ms", &TrialSpec::promote_time}};

std::optional<uint64_t> whole(const json::value& value) {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0) return static_cast<uint64_t>(value.get_int64());
  if (value.is_string()) return parse_u64(std::string_view(value.get_string()));
  return std::nullopt;
}

// False where the value is of another kind.
struct Store {
  TrialSpec& spec;
  const json::value& value;
  bool operator()(double TrialSpec::* at) const {
    boost::system::error_code error;
    const double number = value.to_number<double>(error);
    if (!error) spec.*at = number;
    return !error;
  }
  bool operator()(uint64_t TrialSpec::* at) const {
    const auto number = whole(value);
    if (number) spec.*at = *number;
    return number.has_value();
  }
  bool operator()(bool TrialSpec::* at) const {
    if (value.is_bool()) spec.*at = value.get_bool();
    return value.is_bool();
  }
  bool operator()(std::chrono::milliseconds TrialSpec::* at) const {
    const auto number = whole(value);
    if (number && *number <= INT64_MAX / 1'000'000)
      spec.*at = std::chrono::milliseconds(static_cast<int64_t>(*number));
    else
      return false;
    return true;
  }
};

json::object to_json(const Arm& arm) {
  json::object out;
  out["requests"] = arm.requests;
  out["errors"] = arm.errors;
  out["p95_us"] = arm.p95_ns / 1000;
  return out;
}

}  // namespace

Result<TrialSpec> parse_trial(const json::object& object, const TrialSpec& otherwise) {
  TrialSpec spec = otherwise;
  for (const auto& [key, value] : object) {
    const std::string_view name(key);
    const auto* field =
        std::ranges::find_if(kFields, [name](const Field& one) { return one.name == name; });
    bool fits = false;
    if (name == "version") {
      const auto number = whole(value);
      fits = number && *number > 0 && *number <= INT64_MAX;
      if (fits) spec.version = static_cast<int64_t>(*number);
    } else if (field == std::end(kFields)) {
      return fail(Code::invalid_argument, "'" + std::string(name) + "' is not known");
    } else {
      fits = std::visit(Store{spec, value}, field->member);
    }
    if (!fits)
      return fail(Code::invalid_argument, "'" + std::string(name) + "' is of another kind");
  }
  TRY_VOID(check(spec));
  return spec;
}

json::object to_json(const TrialSpec& spec) {
  json::object out;
  out["version"] = std::to_string(spec.version);
  for (const Field& field : kFields) {
    const auto put = [&]<class T>(T TrialSpec::* at) {
      if constexpr (std::is_same_v<T, std::chrono::milliseconds>)
        out[field.name] = (spec.*at).count();
      else
        out[field.name] = spec.*at;
    };
    std::visit(put, field.member);
  }
  return out;
}

json::object to_json(const Trial& trial) {
  const TrialReport report = trial.report();
  json::object out;
  out["state"] = to_string(report.state);
  out["reason"] = report.reason;
  out["version"] = std::to_string(trial.spec().version);
  out["current"] = std::to_string(trial.current());
  out["started"] = format_rfc3339(WallTime(std::chrono::milliseconds(trial.started_ms())));
  out["candidate_figures"] = to_json(report.candidate);
  out["current_figures"] = to_json(report.current);
  out["compared"] = report.compared;
  out["disagreed"] = report.disagreed;
  out["dropped"] = report.dropped;
  // JSON has no infinity.
  if (std::isfinite(report.max_difference)) out["max_difference"] = report.max_difference;
  out["spec"] = to_json(trial.spec());
  return out;
}

}  // namespace holdfast::inference
