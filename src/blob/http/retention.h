// Expiry, immutability policy and legal hold beside other operations.
#pragma once

#include "blob/http/call.h"

namespace holdfast::blob {

// What a request that makes a blob says of them. invalid_argument "invalid_header",
// "missing_header", "invalid_expiry".
Result<void> retention_of(const Call& call, NewBlob& wanted);
void add_retention(http::Response& response, const Info& info);

}  // namespace holdfast::blob
