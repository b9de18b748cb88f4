#include "base/json_reader.h"

#include "base/exact_json.h"

namespace holdfast {

namespace json = boost::json;

std::string JsonReader::path(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

Error JsonReader::error_at(std::string_view key, std::string_view message) const {
  return Error(Code::invalid_argument, path(key) + ": " + std::string(message));
}

const json::value* JsonReader::find(std::string_view key) const {
  const json::value* found = object_->if_contains(key);
  return found != nullptr && found->is_null() ? nullptr : found;
}

Result<std::string> JsonReader::text(std::string_view key) const {
  TRY(std::string value, text_or(key, ""));
  if (value.empty()) return std::unexpected(error_at(key, "is required"));
  return value;
}

Result<std::string> JsonReader::text_or(std::string_view key, std::string_view otherwise) const {
  const json::value* found = find(key);
  if (found == nullptr) return std::string(otherwise);
  if (!found->is_string()) return std::unexpected(error_at(key, "must be a text"));
  return std::string(found->get_string());
}

Result<int64_t> JsonReader::integer_or(std::string_view key, int64_t otherwise, int64_t least,
                                       int64_t most) const {
  const json::value* found = find(key);
  if (found == nullptr) return otherwise;
  if (!found->is_int64() || found->get_int64() < least || found->get_int64() > most)
    return std::unexpected(error_at(key, "is not a whole number from " + std::to_string(least) +
                                             " to " + std::to_string(most)));
  return found->get_int64();
}

Result<JsonReader> JsonReader::object(std::string_view key, bool optional) const {
  static const json::object empty;
  const json::value* found = find(key);
  if (found == nullptr && optional) return JsonReader(empty, path(key));
  if (found == nullptr) return std::unexpected(error_at(key, "is required"));
  if (!found->is_object()) return std::unexpected(error_at(key, "must be an object"));
  return JsonReader(found->get_object(), path(key));
}

Result<json::object> parse_json_object(std::string_view text, std::string_view what) {
  auto value = parse_json_exactly(text);
  if (!value)
    return fail(Code::invalid_argument,
                std::string(what) + " is not JSON: " + value.error().message());
  if (!value->is_object())
    return fail(Code::invalid_argument, std::string(what) + " is not a JSON object");
  return std::move(value->get_object());
}

}  // namespace holdfast
