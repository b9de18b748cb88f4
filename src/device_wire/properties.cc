#include "device_wire/properties.h"

#include "base/bytes.h"

namespace holdfast::device_wire {
namespace {

constexpr size_t kMost = 100;

}  // namespace

std::string encode_properties(const Properties& properties) {
  std::string out;
  for (const bool system : {true, false}) {
    for (const auto& each : properties) {
      if (each.name.starts_with("$.") != system) continue;
      if (!out.empty()) out += '&';
      out += percent_encode(each.name);
      if (each.value) out += "=" + percent_encode(*each.value);
    }
  }
  return out;
}

Result<Properties> decode_properties(std::string_view text) {
  Properties out;
  if (text.starts_with('?')) text.remove_prefix(1);
  if (text.empty()) return out;
  for (const std::string_view pair : split(text, '&')) {
    if (pair.empty()) continue;
    if (out.size() == kMost) return fail(Code::invalid_argument, "more than 100 properties");
    const size_t equals = pair.find('=');
    Property property;
    TRY(property.name, percent_decode(pair.substr(0, equals)));
    if (property.name.empty()) return fail(Code::invalid_argument, "a property without a name");
    if (equals != std::string_view::npos) {
      TRY(property.value, percent_decode(pair.substr(equals + 1)));
    }
    out.push_back(std::move(property));
  }
  return out;
}

}  // namespace holdfast::device_wire
