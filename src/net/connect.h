// Connecting a socket to a name or an address. For net/ alone.
#pragma once

#include <functional>
#include <string>

#include "net/stream.h"

namespace holdfast {

using MayConnect =
    std::function<bool(const std::string& host, uint16_t port, const std::string& address)>;

// Resolves `host` once where it is no address, tries what it finds in turn, as far as `allowed`
// (where there is one) says so. unavailable with the reason; denied "address_not_allowed" where
// none was left; cancelled by stream.abort().
Task<Result<void>> connect(Stream& stream, const std::string& host, uint16_t port,
                           const MayConnect& allowed = {});

}  // namespace holdfast
