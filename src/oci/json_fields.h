// Fields of a JSON object with their types checked. For oci/*.cc alone: Boost.JSON shows here.
#pragma once

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::oci {

namespace json = boost::json;

inline std::unexpected<Error> invalid(const std::string& field, const std::string& why) {
  return fail(Code::invalid_argument, "manifest_invalid", field + " " + why);
}

inline Result<json::value> parse_json(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error)
    return fail(Code::invalid_argument, "manifest_invalid", "it is not JSON: " + error.message());
  if (!value.is_object())
    return fail(Code::invalid_argument, "manifest_invalid", "it is not a JSON object");
  return value;
}

// All failures are invalid_argument "manifest_invalid". The value must outlive it.
class Fields {
 public:
  Fields(const json::value& value, std::string where)
      : object_(value.if_object()), where_(std::move(where)) {}

  const json::value* find(std::string_view name) const {
    const json::value* found = object_ != nullptr ? object_->if_contains(name) : nullptr;
    return found != nullptr && found->is_null() ? nullptr : found;
  }
  Result<std::string> text_or_empty(std::string_view name) const {
    const json::value* found = find(name);
    if (found == nullptr) return std::string();
    if (!found->is_string()) return invalid(path(name), "must be a text");
    return std::string(found->get_string());
  }
  Result<std::string> text(std::string_view name) const {
    TRY(std::string value, text_or_empty(name));
    if (value.empty()) return invalid(path(name), "is required");
    return value;
  }
  Result<uint64_t> size(std::string_view name) const {
    const json::value* found = find(name);
    if (found == nullptr) return invalid(path(name), "is required");
    if (!found->is_int64() || found->get_int64() < 0)
      return invalid(path(name), "must be a whole number from 0");
    return static_cast<uint64_t>(found->get_int64());
  }
  // nullptr where it is not there.
  Result<const json::array*> list(std::string_view name) const {
    const json::value* found = find(name);
    if (found != nullptr && !found->is_array()) return invalid(path(name), "must be a list");
    return found != nullptr ? &found->get_array() : nullptr;
  }
  Result<std::vector<std::string>> text_list(std::string_view name) const {
    std::vector<std::string> out;
    TRY(const json::array* values, list(name));
    if (values == nullptr) return out;
    out.reserve(values->size());
    for (const json::value& value : *values) {
      if (!value.is_string()) return invalid(path(name), "must be a list of texts");
      out.emplace_back(value.get_string());
    }
    return out;
  }
  Result<std::map<std::string, std::string>> texts(std::string_view name) const {
    std::map<std::string, std::string> out;
    const json::value* found = find(name);
    if (found == nullptr) return out;
    if (!found->is_object()) return invalid(path(name), "must be an object of texts");
    for (const auto& [key, value] : found->get_object()) {
      if (!value.is_string()) return invalid(path(name), "must be an object of texts");
      out.emplace(key, value.get_string());
    }
    return out;
  }

 private:
  std::string path(std::string_view name) const {
    return where_.empty() ? std::string(name) : where_ + "." + std::string(name);
  }
  const json::object* object_;
  std::string where_;
};

}  // namespace holdfast::oci
