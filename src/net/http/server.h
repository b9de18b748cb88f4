// The HTTP/1.1 server: keep-alive, pipelined requests in order, streaming bodies both ways, Expect:
// 100-continue, limits, deadlines, graceful shutdown, sendfile. One acceptor a core (SO_REUSEPORT).
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "net/http/router.h"
#include "net/runtime.h"
#include "net/tls.h"

namespace holdfast::http {

struct ServerOptions {
  std::string name;                         // in errors and logs: "blob"
  std::string address = "127.0.0.1:0";      // "HOST:PORT", "[::1]:PORT"; port 0 picks a free one
  std::shared_ptr<TlsContext> tls;          // null: plain
  size_t max_header_bytes = 64 << 10;       // 431 over it
  uint64_t max_body_bytes = 64 << 20;       // 413 over it
  size_t max_connections = 4096;            // further ones are answered 503 and closed
  std::chrono::seconds header_timeout{30};  // first byte of a head → its end
  std::chrono::seconds idle_timeout{75};    // between requests
  std::chrono::seconds body_timeout{60};    // without one byte of progress, each way
};

// How many connections each of `doors` may have: of the files that the process may have open some
// are left for what is stored and for its other doors.
size_t connections_of_each(size_t doors);

class Server {
 public:
  // Binds and accepts at once. conflict names the address in use and, where /proc tells, the
  // program. `router` must outlive the server.
  static Result<std::unique_ptr<Server>> start(Runtime& runtime, ServerOptions options,
                                               const Router& router);
  ~Server();  // stop() must have finished

  std::string address() const;  // with the real port
  uint16_t port() const;
  size_t connections() const;
  // Stops accepting, lets requests under way end within `grace`, then cancels; returns when all are
  // closed.
  Task<void> stop(std::chrono::milliseconds grace);

 private:
  struct State;
  explicit Server(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::http
