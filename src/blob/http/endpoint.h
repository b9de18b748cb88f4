// How clients know the service where a proxy stands before it: by another address, perhaps below a
// path of its own, and what of the proxy's word about them is believed.
#pragma once

#include "blob/source_list.h"
#include "net/http/message.h"

namespace holdfast::blob {

// Plain data; any thread may read.
class Endpoint {
 public:
  // The service is known by the address that a request names.
  Endpoint() = default;
  // `url`: "https://HOST[:PORT][/PATH]", to which clients add "/ACCOUNT/CONTAINER/BLOB"; "" for
  // none. `proxies`: addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are
  // believed. invalid_argument.
  static Result<Endpoint> make(std::string_view url, const std::vector<std::string>& proxies);

  // What a listed proxy tells of the client takes the proxy's place, and the endpoint's own path is
  // taken off, where the proxy left it on.
  void arrive(http::Request& request) const;
  // Whether arrive() has nothing to do.
  bool is_direct(const http::Request& request) const;
  // Takes the endpoint's path off; false, and nothing done, where the address is not below it.
  bool take_off(http::Request& request) const;
  // Whether a URL of this host (HOST[:PORT], lower case) may be below the endpoint.
  bool is_at(std::string_view host) const { return !host_.empty() && host == host_; }
  // "" where there is none; no slash at its end.
  const std::string& url() const { return url_; }
  // The path of the URL, "" or "/PATH": clients sign it.
  const std::string& path() const { return path_; }

 private:
  bool is_proxied(const http::Request& request) const;
  std::string url_, host_, path_;
  SourceList proxies_;
};

}  // namespace holdfast::blob
