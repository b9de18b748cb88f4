#include "inference/settings.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/log.h"
#include "inference/traces/exporter.h"

namespace holdfast::inference {

namespace {

std::atomic<log::Level> log_level{log::Level::info};  // the log's own beginning

}  // namespace

LogSettings log_settings() {
  const log::Level level = log_level;
  return {.info = level <= log::Level::info,
          .warning = level <= log::Level::warning,
          .verbose = level == log::Level::debug ? 1U : 0U};
}

Result<void> set_log_settings(const LogSettings& settings) {
  if (!settings.error || (settings.info && !settings.warning) ||
      (settings.verbose > 0 && !settings.info))
    return fail(Code::invalid_argument,
                "the log has one level: log_verbose_level needs log_info, log_info needs "
                "log_warning, and errors are always logged");
  log_level = settings.verbose > 0 ? log::Level::debug
              : settings.info      ? log::Level::info
              : settings.warning   ? log::Level::warning
                                   : log::Level::error;
  log::set_level(log_level);
  return {};
}

namespace {

std::unexpected<Error> not_of_this_kind(std::string_view key) {
  return fail(Code::invalid_argument, "'" + std::string(key) +
                                          "' is not a log setting, or its value is of another "
                                          "kind than it has");
}

}  // namespace

Result<void> change_flag(LogSettings& settings, std::string_view key, bool value) {
  bool* flag = key == "log_info"      ? &settings.info
               : key == "log_warning" ? &settings.warning
               : key == "log_error"   ? &settings.error
                                      : nullptr;
  if (flag == nullptr) return not_of_this_kind(key);
  *flag = value;
  return {};
}

Result<void> change_number(LogSettings& settings, std::string_view key, int64_t value) {
  if (key != "log_verbose_level" || value < 0 || value > 1000) return not_of_this_kind(key);
  settings.verbose = static_cast<uint32_t>(value);
  return {};
}

Result<void> change_text(std::string_view key, std::string_view value) {
  if (key == "log_format" && value == kLogFormat) return {};
  if (key == "log_file" && value.empty()) return {};
  if (key != "log_format" && key != "log_file") return not_of_this_kind(key);
  return fail(Code::unsupported, "'" + std::string(key) +
                                     "' cannot be changed: the log goes to standard error, a line "
                                     "of JSON an event");
}

TraceSettings trace_settings(const TraceOptions* traces) {
  const double sample = traces == nullptr ? 0.1 : traces->sample;
  const std::string rate = std::to_string(sample > 0 ? std::llround(100 / sample) : 0);
  return {
      {"trace_file", {""}},     {"trace_level", {traces == nullptr ? "OFF" : "TIMESTAMPS"}},
      {"trace_rate", {rate}},   {"trace_count", {"-1"}},
      {"log_frequency", {"0"}}, {"trace_mode", {traces == nullptr ? "triton" : "opentelemetry"}}};
}

Result<void> change_trace(const TraceOptions* traces, std::string_view key,
                          const std::vector<std::string>& values) {
  const TraceSettings settings = trace_settings(traces);
  const auto found =
      std::ranges::find_if(settings, [key](const auto& row) { return row.first == key; });
  if (found == settings.end())
    return fail(Code::invalid_argument, "'" + std::string(key) + "' is not a trace setting");
  if (!values.empty() && values != found->second)
    return fail(Code::unsupported, "'" + std::string(key) +
                                       "' stays as it is: requests are traced as the server's "
                                       "configuration says (traces)");
  return {};
}

}  // namespace holdfast::inference
