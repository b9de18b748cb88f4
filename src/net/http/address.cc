#include "net/http/address.h"

#include <arpa/inet.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "base/files.h"

namespace holdfast::http {
namespace {

namespace fs = std::filesystem;

// The inode of the socket that listens there, from /proc/net/tcp; 0 where none does.
uint64_t listening_inode(uint32_t ipv4, uint16_t port) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    unsigned address = 0, local_port = 0, state = 0;
    unsigned long long inode = 0;
    if (std::sscanf(line.c_str(),
                    "%*d: %8X:%4X %*8X:%*4X %2X %*8X:%*8X %*2X:%*8X %*8X %*u %*d %llu", &address,
                    &local_port, &state, &inode) != 4)
      continue;
    const uint32_t host_order = ntohl(address);
    constexpr unsigned listen = 0x0A;
    if (state == listen && local_port == port &&
        (host_order == ipv4 || host_order == 0 || ipv4 == 0))
      return inode;
  }
  return 0;
}

}  // namespace

std::optional<std::string> port_holder(uint32_t ipv4, uint16_t port) {
  const uint64_t inode = listening_inode(ipv4, port);
  if (inode == 0) return std::nullopt;
  const std::string wanted = "socket:[" + std::to_string(inode) + "]";
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename();
    if (!parse_u64(pid)) continue;
    for (const auto& fd : fs::directory_iterator(process.path() / "fd", error)) {
      if (fs::read_symlink(fd.path(), error) != wanted) continue;
      auto name = read_file(process.path() / "comm", 256);
      std::string text = name.value_or("a program");
      while (text.ends_with('\n')) text.pop_back();
      return text + " (pid " + pid + ")";
    }
  }
  return "another program";
}

Result<HostPort> parse_host_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  HostPort out;
  std::optional<uint64_t> port;
  if (colon != std::string_view::npos) port = parse_u64(text.substr(colon + 1));
  if (!port || *port > 65535)
    return fail(Code::invalid_argument, "'" + std::string(text) + "' is not HOST:PORT");
  out.port = static_cast<uint16_t>(*port);
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return fail(Code::invalid_argument, "write an IPv6 address as [address]:port");
  if (host.empty()) return fail(Code::invalid_argument, "'" + std::string(text) + "' has no host");
  out.host = std::string(host);
  return out;
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    url.tls = true;
  } else {
    return fail(Code::invalid_argument,
                "'" + std::string(text) + "' is not an http:// or https:// address");
  }
  const size_t end = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, end);
  url.target = end == std::string_view::npos ? "/" : std::string(rest.substr(end));
  if (url.target.starts_with('?')) url.target.insert(0, "/");
  if (authority.empty() || authority.find('@') != std::string_view::npos ||
      url.target.find_first_of(" \r\n") != std::string::npos) {
    return fail(Code::invalid_argument, "not a usable address: '" + std::string(text) + "'");
  }
  url.authority = std::string(authority);
  const bool has_port =
      authority.ends_with(']') ? false : authority.rfind(':') != std::string_view::npos;
  std::string full(authority);
  if (!has_port) full += url.tls ? ":443" : ":80";
  TRY(const HostPort at, parse_host_port(full));
  url.host = at.host;
  url.port = at.port;
  return url;
}

}  // namespace holdfast::http
