// What an MQTT server's logic sees: the sessions of clients, and the questions that it answers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/mqtt/packet.h"
#include "net/task.h"

namespace holdfast::mqtt {

// A client's session: its subscriptions and the messages under way to it. It outlives connections
// where the client asked so (CleanSession=0). Any thread may call. Held by the server and by
// whoever keeps the pointer; after the server's stop() it only refuses.
class Session {
 public:
  virtual ~Session() = default;
  virtual const std::string& client_id() const = 0;
  virtual bool connected() const = 0;
  // What connect() answered for the newest connection.
  virtual std::shared_ptr<void> context() const = 0;
  // The strongest QoS granted by a filter that matches; nullopt: not subscribed.
  virtual std::optional<Qos> granted(std::string_view topic) const = 0;
  virtual std::vector<Subscription> subscriptions() const = 0;

  // Queues a message; subscriptions are the caller's to look at. QoS 1 is kept until its PUBACK,
  // and sent again (DUP) after a reconnect. `acknowledged` is called once, on any thread: at the
  // PUBACK, for QoS 0 when it was handed to the connection; never where the session ends before.
  // not_found: QoS 0 without a connection, or the session has ended. unavailable: the queue is
  // full.
  virtual Result<void> send(Publish message, std::function<void()> acknowledged = {}) = 0;
  // Ends the connection, not the session. `why` is for the log.
  virtual void close(std::string_view why) = 0;

  template <class T>
  std::shared_ptr<T> context_as() const {
    return std::static_pointer_cast<T>(context());
  }
};

struct Peer {
  std::string address;  // "127.0.0.1:54321"
  bool tls = false;
};

struct ConnectAnswer {
  ConnectCode code = ConnectCode::accepted;
  // The handler remembers this client from an earlier life of the server (only asked where
  // CleanSession=0): `subscriptions` are what it had then.
  bool session_present = false;
  std::vector<Subscription> subscriptions;
  std::optional<WallTime> expires;  // the connection is closed then
  std::shared_ptr<void> context;    // Session::context()
};

enum class Ended { by_client, lost, taken_over, closed_here };

// The logic behind a server. Called on the connection's executor, for many connections at once; one
// connection's calls are in its packets' order, but up to `max_unanswered` publish() of one
// connection run side by side. Must outlive the server.
class Handler {
 public:
  virtual ~Handler() = default;
  // Whether this client is let in. The server has checked the packet, and nothing else.
  virtual Task<ConnectAnswer> connect(const Connect& request, const Peer& peer) = 0;
  // CONNACK is on its way; the session's earlier connection, if any, is closed.
  virtual void connected(const std::shared_ptr<Session>& session) = 0;
  // The granted QoS or kRefused. The session has the filter after SUBACK, when subscribed() is
  // called.
  virtual Task<uint8_t> subscribe(std::shared_ptr<Session> session, Subscription wanted) = 0;
  virtual void subscribed(const std::shared_ptr<Session>& session, const Subscription& granted) = 0;
  virtual Task<void> unsubscribe(std::shared_ptr<Session> session, std::string filter) = 0;
  // A message from the client. PUBACK is sent when this is done, so it must be durable by then. An
  // error closes the connection without PUBACK.
  virtual Task<Result<void>> publish(std::shared_ptr<Session> session, Publish message) = 0;
  // The will of a client that went without DISCONNECT; before disconnected().
  virtual Task<void> will(std::shared_ptr<Session> session, Will will) = 0;
  virtual void disconnected(const std::shared_ptr<Session>& session, Ended how) = 0;
};

}  // namespace holdfast::mqtt
