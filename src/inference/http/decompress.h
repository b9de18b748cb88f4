// Compressed request bodies (RFC 1950, 1952). A pure function, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::inference {

// `body` as it was before `encoding`: "gzip", "deflate" (a zlib stream) or "identity". too_large
// over `limit` bytes, whatever the body claims; invalid_argument where it is damaged or cut;
// unsupported of reason "encoding" for any other.
Result<std::string> decompress(std::string_view encoding, std::string body, uint64_t limit);

}  // namespace holdfast::inference
