// Fields of a server's JSON answer. A server that answers otherwise is an error, never a crash:
// every function fails with internal, naming the field.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::cli {

Result<boost::json::value> field_of(const boost::json::value& answer, std::string_view field);
Result<boost::json::array> list_of(const boost::json::value& answer, std::string_view field);
Result<std::string> text_of(const boost::json::value& answer, std::string_view field);

// The text of a file that holds a JSON object, up to 1 MiB; invalid_argument where it does not.
Result<std::string> json_file(const std::string& path);

// The process id in a run file; internal where it holds no positive number.
Result<int> pid_of(const boost::json::value& run);

}  // namespace holdfast::cli
