// What every listing has: its query, its address and the marker of the next page.
#pragma once

#include "blob/http/call.h"

namespace holdfast::blob {

// prefix, delimiter, maxresults (5000 at most) and marker. invalid_argument "invalid_query".
Result<ListQuery> list_query_of(const http::Request& request);
// The marker in base64, so that nobody takes it for a name.
std::string next_marker_element(const std::string& next);
std::string service_endpoint(const Call& call);

}  // namespace holdfast::blob
