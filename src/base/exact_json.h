// JSON whose numbers keep their last bit: boost::json::parse (1.81) computes a double to within one
// unit in the last place, so a value that a client sent would come back as its neighbour.
#pragma once

#include <boost/json/value.hpp>

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace holdfast {

// The text as JSON, nested at most `max_depth` deep. invalid_argument: why it is not.
Result<boost::json::value> parse_json_exactly(std::string_view text, size_t max_depth = 32);

}  // namespace holdfast
