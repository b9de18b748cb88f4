// Reading targets and writing heads: plain functions of the HTTP server.
#pragma once

#include <optional>
#include <string>

#include "net/http/message.h"

namespace holdfast::http {

// Fills path and query from target (origin or absolute form). invalid_argument on a broken escape.
Result<void> split_target(Request& request);

// The whole head with the blank line. `length` nullopt and not chunked: no length line (204, 304).
std::string response_head(const Response& response, std::optional<uint64_t> length, bool chunked,
                          bool keep_alive);

// "<hex>\r\n", or for 0 the last chunk with its end.
std::string chunk_head(size_t size);

// The standard phrase, "Status" for codes without one.
std::string_view phrase(unsigned status);

}  // namespace holdfast::http
