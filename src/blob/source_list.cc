#include "blob/source_list.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/bytes.h"

namespace holdfast::blob {
namespace {

constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool host_name(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  if (text.empty() || text.size() > 253) return false;
  for (const auto label : split(text, '.')) {
    if (label.empty() || label.size() > 63) return false;
    for (const char c : label) {
      if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) return false;
    }
  }
  return true;
}

std::unexpected<Error> no_entry(const std::string& text) {
  return fail(Code::invalid_argument,
              "'" + text + "' is no HOST[:PORT], *.DOMAIN[:PORT], ADDRESS[:PORT] or ADDRESS/BITS");
}

}  // namespace

bool SourceList::parse_ip(std::string_view view, Ip& ip) {
  const std::string text(view);
  in_addr four;
  if (inet_pton(AF_INET, text.c_str(), &four) == 1) {
    std::memcpy(ip.data(), kMapped, sizeof kMapped);
    std::memcpy(ip.data() + sizeof kMapped, &four, 4);
    return true;
  }
  return inet_pton(AF_INET6, text.c_str(), ip.data()) == 1;
}

bool SourceList::holds(const Network& network, const Ip& ip) {
  const size_t whole = static_cast<size_t>(network.bits) / 8;
  if (std::memcmp(network.ip.data(), ip.data(), whole) != 0) return false;
  const int rest = network.bits % 8;
  return rest == 0 || ((network.ip[whole] ^ ip[whole]) >> (8 - rest)) == 0;
}

Result<SourceList> SourceList::parse(const std::vector<std::string>& entries) {
  SourceList list;
  for (const std::string& entry : entries) {
    std::string text = lower(trim(entry));
    Network network;
    if (const size_t slash = text.find('/'); slash != std::string::npos) {
      const auto bits = parse_u64(std::string_view(text).substr(slash + 1));
      const bool four = text.find(':') == std::string::npos;
      if (!bits || *bits > (four ? 32 : 128) || !parse_ip(text.substr(0, slash), network.ip))
        return no_entry(entry);
      network.bits = static_cast<int>(*bits) + (four ? 96 : 0);
      list.networks_.push_back(network);
      continue;
    }
    if (parse_ip(text, network.ip)) {  // without brackets an IPv6 address has no port
      list.networks_.push_back(network);
      continue;
    }
    if (const size_t colon = text.rfind(':');
        colon != std::string::npos && text.find(']', colon) == std::string::npos) {
      const auto port = parse_u64(std::string_view(text).substr(colon + 1));
      if (!port || *port == 0 || *port > UINT16_MAX) return no_entry(entry);
      network.port = static_cast<uint16_t>(*port);
      text.resize(colon);
    }
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    if (parse_ip(text, network.ip)) {
      list.networks_.push_back(network);
    } else if (host_name(text)) {
      list.names_.push_back(Name{text, network.port});
    } else {
      return no_entry(entry);
    }
  }
  return list;
}

// Source: the IANA registries of special-purpose addresses.
bool SourceList::is_public(const Ip& ip) {
  static const std::vector<Network> special = [] {
    std::vector<Network> out;
    for (const auto& [text, bits] :
         {std::pair("0.0.0.0", 8), std::pair("10.0.0.0", 8), std::pair("100.64.0.0", 10),
          std::pair("127.0.0.0", 8), std::pair("169.254.0.0", 16), std::pair("172.16.0.0", 12),
          std::pair("192.0.0.0", 24), std::pair("192.0.2.0", 24), std::pair("192.168.0.0", 16),
          std::pair("198.18.0.0", 15), std::pair("198.51.100.0", 24), std::pair("203.0.113.0", 24),
          std::pair("224.0.0.0", 3)}) {
      Network& network = out.emplace_back();
      parse_ip(text, network.ip);
      network.bits = 96 + bits;
    }
    // What lies in 2000::/3 and leads elsewhere: Teredo, documentation, 6to4.
    for (const auto& [text, bits] :
         {std::pair("2001::", 32), std::pair("2001:db8::", 32), std::pair("2002::", 16)}) {
      Network& network = out.emplace_back();
      parse_ip(text, network.ip);
      network.bits = bits;
    }
    return out;
  }();
  const bool four = std::memcmp(ip.data(), kMapped, sizeof kMapped) == 0;
  if (!four && (ip[0] >> 5) != 1) return false;  // 2000::/3 is what is given out
  return std::ranges::none_of(special, [&](const Network& network) { return holds(network, ip); });
}

bool SourceList::named(std::string_view host, uint16_t port) const {
  const std::string name = lower(host);
  return std::ranges::any_of(names_, [&](const Name& entry) {
    const bool fits = entry.host.starts_with("*.")
                          ? name.ends_with(std::string_view(entry.host).substr(1))
                          : name == entry.host;
    return fits && (entry.port == 0 || entry.port == port);
  });
}

bool SourceList::within(const Ip& ip, uint16_t port) const {
  return std::ranges::any_of(networks_, [&](const Network& network) {
    return (network.port == 0 || network.port == port) && holds(network, ip);
  });
}

bool SourceList::may_ask(std::string_view host, uint16_t port) const {
  Ip ip;
  if (parse_ip(host, ip)) return within(ip, port);
  return !networks_.empty() || named(host, port);
}

bool SourceList::has(std::string_view address) const {
  Ip ip;
  return parse_ip(address, ip) && within(ip, 0);
}

bool SourceList::may_connect(std::string_view host, uint16_t port, std::string_view address) const {
  Ip ip;
  if (!parse_ip(address, ip)) return false;  // a zone or anything else that is no plain address
  return within(ip, port) || (is_public(ip) && named(host, port));
}

}  // namespace holdfast::blob
