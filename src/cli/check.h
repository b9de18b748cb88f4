// `holdfast check`: the health of the machine and of the daemons, one line a probe, each with its
// remedy.
#pragma once

#include <boost/json/array.hpp>

#include "cli/context.h"

namespace holdfast::cli {

// Rows {"check","state","detail","remedy"}; state ok, warn or fail.
Task<Result<boost::json::array>> run_checks(Context& context);

// Which daemon reads a file with these top keys: "hub", "edge" or "serve"; invalid_argument where
// the text is no YAML mapping or its keys do not tell.
Result<std::string> daemon_of(const std::string& text, const std::string& source);
// Has the daemon of this configuration file read it, and returns the one row of what it said:
// state ok, or fail with the place of the first error. `daemon` may be empty.
Result<boost::json::array> check_config(const std::string& file, std::string daemon);

}  // namespace holdfast::cli
