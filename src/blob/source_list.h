// Which servers a copy may be fetched from: what keeps a copy from reaching into the owner's own
// network. Plain data; any thread may read.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::blob {

class SourceList {
 public:
  // Nothing is allowed.
  SourceList() = default;
  // "HOST" or "*.DOMAIN", "ADDRESS" ("[ADDRESS]" before a port), each with ":PORT" or for any port;
  // "ADDRESS/BITS". invalid_argument.
  static Result<SourceList> parse(const std::vector<std::string>& entries);

  // Whether it is worth while to look the name up.
  bool may_ask(std::string_view host, uint16_t port) const;
  // Whether this address of the host may be connected to: it is in the list itself, or the host is
  // and the address is a public one. A name of the list never leads into a private network.
  bool may_connect(std::string_view host, uint16_t port, std::string_view address) const;
  // Whether this address is in the list itself, for any port.
  bool has(std::string_view address) const;
  bool has_names() const { return !names_.empty(); }

 private:
  using Ip = std::array<uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d
  struct Name {
    std::string host;  // "*.x": everything below x
    uint16_t port = 0;
  };
  struct Network {
    Ip ip{};
    int bits = 128;
    uint16_t port = 0;  // 0: any
  };
  static bool parse_ip(std::string_view text, Ip& ip);
  static bool holds(const Network& network, const Ip& ip);
  static bool is_public(const Ip& ip);
  bool named(std::string_view host, uint16_t port) const;
  bool within(const Ip& ip, uint16_t port) const;

  std::vector<Name> names_;
  std::vector<Network> networks_;
};

}  // namespace holdfast::blob
