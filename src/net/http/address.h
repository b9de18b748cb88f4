// "HOST:PORT", URLs, and who holds a port. Plain functions.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace holdfast::http {

struct HostPort {
  std::string host;  // without brackets
  uint16_t port = 0;
};
// "127.0.0.1:80", "[::1]:0", "localhost:8080". invalid_argument.
Result<HostPort> parse_host_port(std::string_view text);

struct Url {
  bool tls = false;
  std::string host;
  uint16_t port = 0;
  std::string target;     // path and query as they stand; at least "/"
  std::string authority;  // for the Host header
};
// http:// and https:// only; no user information. invalid_argument.
Result<Url> parse_url(std::string_view text);

// "PROGRAM (pid N)" of the process that listens on this IPv4 address (network order of /proc: host
// integer) or on all addresses at the port; "another program" where its owner can't be seen;
// nullopt where nobody does.
std::optional<std::string> port_holder(uint32_t ipv4, uint16_t port);

}  // namespace holdfast::http
