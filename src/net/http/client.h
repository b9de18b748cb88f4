// The HTTP/1.1 client: pooled keep-alive connections, TLS, deadlines, retries with jittered
// back-off.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "net/http/message.h"
#include "net/tls.h"

namespace holdfast::http {

struct ClientOptions {
  std::shared_ptr<TlsContext> tls;   // for https; null: the system's trust store
  std::string unix_socket;           // a path: every request goes there, whatever host it names
  size_t connections_per_host = 16;  // callers beyond it wait
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::seconds idle_keep{30};  // an idle connection is reused this long
  size_t max_response_header_bytes = 64 << 10;
  // Whether this address, of those that the host was resolved to, may be connected to; null: any.
  std::function<bool(const std::string& host, uint16_t port, const std::string& address)>
      may_connect;
};

class ClientRequest {
 public:
  ClientRequest(std::string method_, std::string url_)
      : method(std::move(method_)), url(std::move(url_)) {}
  std::string method;
  std::string url;  // http://host:port/path?query, already encoded
  Headers headers;  // host and content-length are the client's
  std::string body;
  ByteView lent;  // sent in place of body, without a copy; stays until the call ends
  std::optional<FileRange> file;             // sent in place of both
  std::chrono::milliseconds timeout{30000};  // for head of the response, each attempt
  unsigned retries = 0;  // on unavailable, timed_out and 502/503/504; body is resent
};

class ClientResponse {
 public:
  ClientResponse() = default;
  unsigned status = 0;
  Headers headers;
  std::unique_ptr<ByteSource> body;  // read to its end to return the connection to the pool
};

// Any thread may call; each call runs on its caller's executor, and pooled connections stay bound
// to it: destroy the client before those executors' contexts.
class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  // A response of any status. unavailable: not connected or cut; timed_out; invalid_argument: bad
  // URL; denied "address_not_allowed".
  Task<Result<ClientResponse>> send(ClientRequest request);
  // The same with the body read; too_large over `limit`.
  struct Whole {
    unsigned status = 0;
    Headers headers;
    std::string body;
  };
  Task<Result<Whole>> fetch(ClientRequest request, uint64_t limit = 64 << 20);

  struct State;  // the pool; known to client.cc alone

 private:
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::http
