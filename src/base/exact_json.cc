#include "base/exact_json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>

#include <charconv>
#include <string>

namespace holdfast {
namespace {

namespace json = boost::json;
using Status = boost::system::error_code;

// What basic_parser calls, with Boost's names.
class Builder {
 public:
  static constexpr size_t max_object_size = json::object::max_size();
  static constexpr size_t max_array_size = json::array::max_size();
  static constexpr size_t max_key_size = json::string::max_size();
  static constexpr size_t max_string_size = json::string::max_size();

  bool on_document_begin(Status&) {
    stack_.reset();
    return true;
  }
  bool on_document_end(Status&) { return true; }
  bool on_object_begin(Status&) { return true; }
  bool on_object_end(size_t count, Status&) {
    stack_.push_object(count);
    return true;
  }
  bool on_array_begin(Status&) { return true; }
  bool on_array_end(size_t count, Status&) {
    stack_.push_array(count);
    return true;
  }
  bool on_key_part(json::string_view part, size_t, Status&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_key(json::string_view part, size_t, Status&) {
    stack_.push_key(part);
    return true;
  }
  bool on_string_part(json::string_view part, size_t, Status&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(json::string_view part, size_t, Status&) {
    stack_.push_string(part);
    return true;
  }
  bool on_number_part(json::string_view part, Status&) {
    number_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(int64_t value, json::string_view, Status&) {
    number_.clear();
    stack_.push_int64(value);
    return true;
  }
  bool on_uint64(uint64_t value, json::string_view, Status&) {
    number_.clear();
    stack_.push_uint64(value);
    return true;
  }
  bool on_double(double near, json::string_view part, Status&) {
    number_.append(part.data(), part.size());
    double value = near;
    // What is too large or too small for a double stays as Boost made it.
    if (std::from_chars(number_.data(), number_.data() + number_.size(), value).ec != std::errc())
      value = near;
    number_.clear();
    stack_.push_double(value);
    return true;
  }
  bool on_bool(bool value, Status&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(Status&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, Status&) { return true; }
  bool on_comment(json::string_view, Status&) { return true; }

  json::value release() { return stack_.release(); }

 private:
  json::value_stack stack_;
  std::string number_;
};

}  // namespace

Result<json::value> parse_json_exactly(std::string_view text, size_t max_depth) {
  json::parse_options options;
  options.max_depth = max_depth;
  json::basic_parser<Builder> parser(options);
  Status error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && used < text.size()) error = json::error::extra_data;
  if (error) return fail(Code::invalid_argument, error.message());
  return parser.handler().release();
}

}  // namespace holdfast
