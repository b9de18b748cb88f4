// Property bags: "k=v&k=v", percent-encoded, in topics. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::device_wire {

// A system property's name begins with "$." ("$.mid", "$.on"); application properties have any
// other.
struct Property {
  std::string name;
  std::optional<std::string> value;  // nullopt: the name alone, without '='
  bool operator==(const Property&) const = default;
};
using Properties = std::vector<Property>;

// System properties first, then in the order given; '$' is written %24, '/' %2F.
std::string encode_properties(const Properties& properties);
// A leading '?' is passed over; empty text is no properties. invalid_argument: a broken escape, an
// empty name, more than 100 properties.
Result<Properties> decode_properties(std::string_view text);

inline const std::string* find_property(const Properties& properties, std::string_view name) {
  for (const auto& each : properties) {
    if (each.name == name && each.value) return &*each.value;
  }
  return nullptr;
}

}  // namespace holdfast::device_wire
