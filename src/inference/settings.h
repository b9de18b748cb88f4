// Triton's logging and trace extensions: what can be read and changed while the server runs. Any
// thread may call.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::inference {

struct TraceOptions;

// The program's log has one level; these are its names in the protocol.
struct LogSettings {
  bool info = true, warning = true, error = true;
  uint32_t verbose = 0;  // over 0: debug lines too
};
LogSettings log_settings();
// invalid_argument: a level without those above it.
Result<void> set_log_settings(const LogSettings& settings);
inline constexpr std::string_view kLogFormat = "ISO8601";

// One change of a client's to `settings`: log_info, log_warning, log_error (a flag),
// log_verbose_level (a number). unsupported: log_file, log_format; invalid_argument: any other, or
// a value of another kind.
Result<void> change_flag(LogSettings& settings, std::string_view key, bool value);
Result<void> change_number(LogSettings& settings, std::string_view key, int64_t value);
Result<void> change_text(std::string_view key, std::string_view value);

// As Triton tells them: its mode is opentelemetry where requests are traced, one in trace_rate of
// those whose callers have no trace (0: none of them). Null: nothing is, and the level is OFF.
using TraceSettings = std::vector<std::pair<std::string, std::vector<std::string>>>;
TraceSettings trace_settings(const TraceOptions* traces);
// As with Triton in that mode, nothing can be changed while the server runs: unsupported unless it
// is what holds already, or nothing (the default); invalid_argument: no such setting.
Result<void> change_trace(const TraceOptions* traces, std::string_view key,
                          const std::vector<std::string>& values);

}  // namespace holdfast::inference
