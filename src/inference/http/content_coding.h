// Compressed bodies (RFC 1950, 1952; RFC 9110, section 8.4.1). Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::inference {

// `body` as it was before `encoding`: "gzip", "deflate" (a zlib stream) or "identity". too_large
// over `limit` bytes, whatever the body claims; invalid_argument where it is damaged or cut;
// unsupported of reason "encoding" for any other.
Result<std::string> decompress(std::string_view encoding, std::string body, uint64_t limit);

// "gzip" or "deflate" where `accepted` (Accept-Encoding) names that alone, as a client does that
// asks for it; "" where it is one of several that the client could take, since packing costs more
// than a local wire.
std::string_view wanted_coding(std::string_view accepted);
// Both parts one after the other, in a coding of wanted_coding(). unavailable: no memory.
Result<std::string> compress(std::string_view coding, std::string_view first, ByteView second);

}  // namespace holdfast::inference
