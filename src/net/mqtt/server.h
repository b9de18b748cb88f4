// An MQTT 3.1.1 server over TLS or plain: sessions, flow control, keep-alive, wills; what topics
// mean is the Handler's. One acceptor a core; a connection stays on its core, a session may move.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "net/mqtt/session.h"
#include "net/runtime.h"
#include "net/tls.h"

namespace holdfast::mqtt {

struct ServerOptions {
  std::string name = "mqtt";                   // in errors and logs
  std::string address = "127.0.0.1:0";         // "HOST:PORT"; port 0 picks a free one
  std::shared_ptr<TlsContext> tls;             // null: plain
  size_t max_payload = 256 << 10;              // bytes; a larger message closes the connection
  size_t max_connections = 8192;               // further ones get CONNACK unavailable
  size_t max_subscriptions = 50;               // a session; further ones are refused in SUBACK
  size_t max_unanswered = 16;                  // publish() of one connection under way at once
  size_t max_in_flight = 16;                   // messages sent and not yet acknowledged, a session
  size_t max_queued = 1000;                    // messages kept for a session, in flight included
  size_t max_queued_bytes = 4 << 20;           // the same in bytes of payload
  std::chrono::seconds connect_timeout{30};    // TLS handshake and CONNECT
  std::chrono::seconds longest_silence{1767};  // 1.5 x keep-alive is cut to it; also for none
  std::chrono::seconds session_life{3600};     // a session without a connection
};

class Server {
 public:
  // Binds and accepts at once. conflict names the address in use. `clock` serves keep-alive and
  // expiry; it and `handler` must outlive the server.
  static Result<std::unique_ptr<Server>> start(Runtime& runtime, ServerOptions options,
                                               Handler& handler, const Clock& clock);
  ~Server();  // stop() must have finished

  std::string address() const;  // with the real port
  uint16_t port() const;
  size_t connections() const;
  std::shared_ptr<Session> find(std::string_view client_id) const;  // null: none
  // Stops accepting, lets publish() under way end within `grace`, closes all, ends the sessions.
  Task<void> stop(std::chrono::milliseconds grace);

 private:
  struct State;
  explicit Server(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::mqtt
