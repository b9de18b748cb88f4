// An MQTT 3.1.1 client that stays connected: it reconnects by itself with jittered back-off, asks
// for fresh credentials each time, renews its subscriptions, and sends unacknowledged messages
// again.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "net/mqtt/packet.h"
#include "net/task.h"
#include "net/task_group.h"
#include "net/tls.h"

namespace holdfast::mqtt {

struct Credentials {
  std::string username, password;  // either may be empty: then it is not sent
};

struct ClientOptions {
  std::string host;  // name or address to connect to
  uint16_t port = 8883;
  std::shared_ptr<TlsContext> tls;  // null: plain
  std::string tls_name;             // whom the certificate must name; empty: `host`
  std::string client_id;
  bool clean_session = false;
  std::chrono::seconds keep_alive{60};
  std::optional<Will> will;
  // Asked before every connect, so that short tokens stay fresh; an error is a failed attempt.
  std::function<Task<Result<Credentials>>()> credentials;
  // After this time connected, it reconnects at once with fresh credentials. Zero: never.
  std::chrono::seconds renew_after{0};
  // A message that came. QoS 1 is acknowledged when this is done with success; otherwise the server
  // sends it again after a reconnect. One at a time, in order.
  std::function<Task<Result<void>>(Publish)> on_message;
  // Connected (after CONNACK and the renewed subscriptions) or not (with the reason). May be empty.
  std::function<void(bool connected, const Error* why)> on_state;
  std::chrono::milliseconds connect_timeout{15'000};
  std::chrono::milliseconds first_delay{200}, longest_delay{30'000};  // between attempts
  size_t max_payload = 256 << 10;
  size_t max_in_flight = 16;
};

// Any thread may call. The callbacks run on the client's executor.
class Client {
 public:
  virtual ~Client() = default;  // stop() must have finished

  // Begins to connect, and stays so until stop(). The tasks live in the client's own group.
  virtual void start() = 0;
  virtual bool connected() const = 0;
  // Until connected, for at most `limit`. timed_out (with why the last attempt failed); denied: the
  // server refuses the credentials.
  virtual Task<Result<void>> wait_connected(std::chrono::milliseconds limit) = 0;

  // QoS 1: returns at the PUBACK, over reconnects if need be; timed_out after `limit`: it may still
  // arrive. QoS 0: returns when written; unavailable where there is no connection. cancelled:
  // stop().
  virtual Task<Result<void>> publish(Publish message, std::chrono::milliseconds limit) = 0;
  // Returns at the SUBACK; kept, and renewed after a reconnect that finds no session. denied:
  // refused.
  virtual Task<Result<void>> subscribe(Subscription wanted, std::chrono::milliseconds limit) = 0;
  virtual Task<Result<void>> unsubscribe(std::string filter, std::chrono::milliseconds limit) = 0;

  // Drops the connection and connects again, for instance because the credentials changed.
  virtual void reconnect() = 0;
  // DISCONNECT, then the end of every wait with `cancelled`.
  virtual Task<void> stop() = 0;
};

// `executor` is where it runs.
std::unique_ptr<Client> make_client(Executor executor, ClientOptions options);

}  // namespace holdfast::mqtt
