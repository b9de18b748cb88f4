// Cross-origin requests: the rules of an account's service properties. Pure functions, any thread.
// Source: "Cross-Origin Resource Sharing (CORS) support for Azure Storage".
#pragma once

#include <optional>
#include <string>

#include "blob/types.h"
#include "net/http/message.h"

namespace holdfast::blob {

// The Cors section of a Set Blob Service Properties body, where it has one. invalid_argument
// "invalid_xml" on over five rules, a missing element, an unknown method, or too many names.
Result<void> check_cors(std::string_view body);

// Adds to the answer what the first rule for this origin and method lets its page see; `document`
// is the account's. Nothing where no rule fits or the request names no origin.
void add_cors(std::string_view document, const http::Request& request, http::Response& response);

// The answer to a preflight. invalid_argument "missing_header"; denied "cors_preflight".
Result<http::Response> preflight(std::string_view document, const http::Request& request);

}  // namespace holdfast::blob
