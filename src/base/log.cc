#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

#include "base/clock.h"

namespace holdfast::log {
namespace {

std::atomic<Level> threshold = Level::info;

std::string quoted(std::string_view text) {
  return boost::json::serialize(boost::json::value(boost::json::string(text)));
}

}  // namespace

void set_level(Level level) {
  threshold = level;
}

void write(Level level, std::string_view part, std::string_view message,
           std::initializer_list<Field> fields) {
  if (level < threshold.load(std::memory_order_relaxed)) return;
  static constexpr const char* names[] = {"debug", "info", "warning", "error"};
  std::string line = "{\"time\":\"" + format_rfc3339(SystemClock().now()) + "\",\"level\":\"";
  line += names[static_cast<size_t>(level)];
  line += "\",\"part\":" + quoted(part) + ",\"message\":" + quoted(message);
  for (const auto& [key, value] : fields) line += "," + quoted(key) + ":" + quoted(value);
  line += "}\n";
  // One write a line: lines of several threads and processes do not mix.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace holdfast::log
