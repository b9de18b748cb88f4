// JSON objects read with their types checked; every error names the path ("modules.m1.settings").
// For documents whose readers must bear unknown keys. All failures are invalid_argument. The value
// must outlive the reader. Use by one thread.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast {

class JsonReader {
 public:
  JsonReader(const boost::json::object& object, std::string path)
      : object_(&object), path_(std::move(path)) {}

  // A key whose value is null counts as absent.
  const boost::json::value* find(std::string_view key) const;
  Result<std::string> text(std::string_view key) const;  // required, not empty
  Result<std::string> text_or(std::string_view key, std::string_view otherwise) const;
  Result<int64_t> integer_or(std::string_view key, int64_t otherwise, int64_t least,
                             int64_t most) const;
  // Required, or an empty object where `optional`.
  Result<JsonReader> object(std::string_view key, bool optional = false) const;

  const boost::json::object& raw() const { return *object_; }
  std::string path(std::string_view key) const;
  Error error_at(std::string_view key, std::string_view message) const;

 private:
  const boost::json::object* object_;
  std::string path_;
};

// The text as a JSON object, nested at most 32 deep. `what` names it in the error.
Result<boost::json::object> parse_json_object(std::string_view text, std::string_view what);

}  // namespace holdfast
