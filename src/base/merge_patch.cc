#include "base/merge_patch.h"

#include <boost/json/value.hpp>

namespace holdfast {

namespace json = boost::json;

json::object merge_patch(const json::object& before, const json::object& after) {
  json::object patch;
  for (const auto& [key, value] : before)
    if (!after.contains(key)) patch[key] = nullptr;
  for (const auto& [key, value] : after) {
    const json::value* old = before.if_contains(key);
    if (old != nullptr && *old == value) continue;
    if (old != nullptr && old->is_object() && value.is_object()) {
      patch[key] = merge_patch(old->get_object(), value.get_object());
    } else {
      patch[key] = value;
    }
  }
  return patch;
}

void apply_merge_patch(json::object& target, const json::object& patch) {
  for (const auto& [key, value] : patch) {
    if (value.is_null()) {
      target.erase(key);
    } else if (value.is_object()) {
      json::value& at = target[key];
      if (!at.is_object()) at = json::object();
      apply_merge_patch(at.get_object(), value.get_object());
    } else {
      target[key] = value;
    }
  }
}

void join_merge_patches(json::object& first, const json::object& second) {
  for (const auto& [key, value] : second) {
    if (!value.is_object()) {
      first[key] = value;
      continue;
    }
    json::value& at = first[key];
    // Where the first patch says nothing of the key (or removes it), the second one's word counts.
    if (!at.is_object()) at = json::object();
    join_merge_patches(at.get_object(), value.get_object());
  }
}

}  // namespace holdfast
