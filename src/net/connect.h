// Connecting a socket to a name or an address. For net/ alone.
#pragma once

#include <string>

#include "net/stream.h"

namespace holdfast {

// Resolves `host` where it is no address, tries what it finds in turn. unavailable with the reason;
// cancelled by stream.abort().
Task<Result<void>> connect(Stream& stream, const std::string& host, uint16_t port);

}  // namespace holdfast
