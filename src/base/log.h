// One line of JSON per event on standard error: {"time":…,"level":…,"part":…,"message":…,fields…}.
// Never pass a secret as a field. Any thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast::log {

enum class Level { debug, info, warning, error };

using Field = std::pair<std::string_view, std::string>;

void set_level(Level level);
void write(Level level, std::string_view part, std::string_view message,
           std::initializer_list<Field> fields);

inline void debug(std::string_view part, std::string_view message,
                  std::initializer_list<Field> fields = {}) {
  write(Level::debug, part, message, fields);
}
inline void info(std::string_view part, std::string_view message,
                 std::initializer_list<Field> fields = {}) {
  write(Level::info, part, message, fields);
}
inline void warning(std::string_view part, std::string_view message,
                    std::initializer_list<Field> fields = {}) {
  write(Level::warning, part, message, fields);
}
inline void error(std::string_view part, std::string_view message,
                  std::initializer_list<Field> fields = {}) {
  write(Level::error, part, message, fields);
}

}  // namespace holdfast::log
