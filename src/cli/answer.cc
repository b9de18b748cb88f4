#include "cli/answer.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "base/files.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

std::unexpected<Error> foreign(std::string_view field, const char* wanted) {
  return fail(Code::internal, "the answer is not a Holdfast server's: its field '" +
                                  std::string(field) + "' is not " + wanted);
}

}  // namespace

Result<json::value> field_of(const json::value& answer, std::string_view field) {
  const json::value* found = answer.is_object() ? answer.as_object().if_contains(field) : nullptr;
  if (found == nullptr) return foreign(field, "there");
  return *found;
}

Result<json::array> list_of(const json::value& answer, std::string_view field) {
  TRY(const json::value found, field_of(answer, field));
  if (!found.is_array()) return foreign(field, "a list");
  return found.as_array();
}

Result<std::string> text_of(const json::value& answer, std::string_view field) {
  TRY(const json::value found, field_of(answer, field));
  if (!found.is_string()) return foreign(field, "text");
  return std::string(found.as_string());
}

Result<int> pid_of(const json::value& run) {
  TRY(const json::value found, field_of(run, "pid"));
  if (!found.is_int64() || found.as_int64() <= 0 || found.as_int64() > (1 << 30))
    return foreign("pid", "a process id");
  return static_cast<int>(found.as_int64());
}

Result<std::string> json_file(const std::string& path) {
  TRY(std::string text, read_file(path, 1 << 20));
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object())
    return fail(Code::invalid_argument, path + " is not a JSON object");
  return text;
}

}  // namespace holdfast::cli
