// A session as the server keeps it. For net/mqtt alone.
#pragma once

#include <deque>
#include <mutex>

#include "net/mqtt/server.h"

namespace holdfast::mqtt {

// The connection's side of a session; any thread may call.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual void kick() = 0;  // there may be something to send
  virtual void end(Ended how, std::string_view why) = 0;
};

class LiveSession final : public Session {
 public:
  LiveSession(std::string client_id, bool clean, const ServerOptions& options);

  const std::string& client_id() const override { return client_id_; }
  bool connected() const override;
  std::shared_ptr<void> context() const override;
  std::optional<Qos> granted(std::string_view topic) const override;
  std::vector<Subscription> subscriptions() const override;
  Result<void> send(Publish message, std::function<void()> acknowledged) override;
  void close(std::string_view why) override;

  // For the server and its connections.
  bool clean() const { return clean_; }
  // Makes `wire` the connection; what was in flight will be sent again. Returns the earlier one.
  std::shared_ptr<Wire> attach(std::shared_ptr<Wire> wire, std::shared_ptr<void> context);
  // False where another connection has taken over.
  bool detach(const Wire* wire, MonoTime now);
  // Ends the session: everything queued is dropped. Returns the connection that it had.
  std::shared_ptr<Wire> finish();
  // The bytes to send now, as far as the window allows, at most about `most`; and callbacks of QoS
  // 0 messages in it. Nothing where `wire` is no longer the connection.
  std::string take(const Wire* wire, size_t most, std::vector<std::function<void()>>& sent);
  // A PUBACK; its callback, or an empty one for an id that is not in flight.
  std::function<void()> acknowledged(uint16_t id);
  // False: there are too many already.
  bool subscribe(Subscription granted);
  void unsubscribe(std::string_view filter);
  bool abandoned_since(MonoTime time) const;  // no connection since then

 private:
  struct Outgoing {
    Publish message;  // id 0: not sent yet
    std::function<void()> acknowledged;
  };
  uint16_t free_id();

  const std::string client_id_;
  const bool clean_;
  const ServerOptions& options_;
  mutable std::mutex mutex_;
  std::vector<Subscription> subscriptions_;
  std::shared_ptr<void> context_;
  std::shared_ptr<Wire> wire_;
  std::deque<Outgoing> queued_, in_flight_;
  size_t bytes_ = 0;  // payloads of both
  uint16_t last_id_ = 0;
  MonoTime detached_{};
  bool finished_ = false;
};

}  // namespace holdfast::mqtt
