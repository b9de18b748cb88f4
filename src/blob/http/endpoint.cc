#include "blob/http/endpoint.h"

#include "base/bytes.h"
#include "blob/http/address.h"
#include "net/http/address.h"

namespace holdfast::blob {
namespace {

// A proxy may have added the port: "1.2.3.4:567", "[::1]:567".
std::string_view address_in(std::string_view hop) {
  if (hop.starts_with('[')) return hop.substr(1, hop.find(']') - 1);
  const size_t colon = hop.find(':');
  return colon == hop.rfind(':') ? hop.substr(0, colon) : hop;
}

}  // namespace

Result<Endpoint> Endpoint::make(std::string_view url, const std::vector<std::string>& proxies) {
  Endpoint endpoint;
  TRY(endpoint.proxies_, SourceList::parse(proxies));
  if (endpoint.proxies_.has_names())
    return fail(Code::invalid_argument, "a proxy is named by its address: ADDRESS or ADDRESS/BITS");
  if (url.empty()) return endpoint;
  while (url.ends_with('/')) url.remove_suffix(1);
  TRY(const http::Url parsed, http::parse_url(url));
  if (parsed.target.find_first_of("?#%") != std::string::npos)
    return fail(Code::invalid_argument, "an endpoint is https://HOST[:PORT][/PATH]");
  http::Request request;
  request.headers.set("Host", parsed.authority);
  if (by_host(request))
    return fail(Code::invalid_argument,
                "'" + parsed.authority +
                    "' names an account; for addresses of that form no endpoint is needed, only a "
                    "proxy that passes Host on");
  endpoint.url_ = url;
  endpoint.host_ = lower(parsed.authority);
  if (parsed.target != "/") endpoint.path_ = parsed.target;
  return endpoint;
}

bool Endpoint::is_proxied(const http::Request& request) const {
  return proxies_.has(std::string_view(request.peer).substr(0, request.peer.rfind(':')));
}

bool Endpoint::is_direct(const http::Request& request) const {
  return path_.empty() && !is_proxied(request);
}

void Endpoint::arrive(http::Request& request) const {
  if (is_proxied(request)) {
    if (const auto scheme = request.headers.get("X-Forwarded-Proto"))
      request.tls = equal_ignore_case(trim(split(*scheme, ',').back()), "https");
    // Each proxy adds whom it saw; the last who is none of ours is the client.
    const std::string seen(request.headers.get_or("X-Forwarded-For", ""));
    const auto hops = split(seen, ',');
    for (auto hop = hops.rbegin(); hop != hops.rend() && !trim(*hop).empty(); ++hop) {
      const std::string_view address = address_in(trim(*hop));
      request.peer = std::string(address) + ":0";  // the port is not told
      if (!proxies_.has(address)) break;
    }
  }
  take_off(request);
}

bool Endpoint::take_off(http::Request& request) const {
  if (path_.empty()) return true;
  if (!request.path.starts_with(path_) || request.path.substr(path_.size(), 1) != "/") return false;
  request.path.erase(0, path_.size());
  return true;
}

}  // namespace holdfast::blob
