// How the protocol names a time of a blob's history.
#pragma once

#include "blob/http/call.h"

namespace holdfast::blob {

// "2026-11-24T12:54:00.1234567Z".
std::string time_text(WallTime time);
// The blob, or the snapshot or version that the query names. invalid_argument "invalid_query".
Result<BlobKey> addressed(const http::Request& request, const Address& address);
// The days that are left, rounded up.
std::string days_left(WallTime expires, WallTime now);
// The version of a deleted container: 16 upper-case hex digits.
std::string container_version(WallTime deleted);
std::optional<WallTime> container_version_in(std::string_view text);

}  // namespace holdfast::blob
