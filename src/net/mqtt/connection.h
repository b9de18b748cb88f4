// One accepted connection of the MQTT server. For server.cc and connection.cc alone; all of it runs
// on its executor, but for kick() and end().
#pragma once

#include <atomic>
#include <deque>

#include <boost/asio/steady_timer.hpp>

#include "net/mqtt/live_session.h"
#include "net/stream.h"

namespace holdfast::mqtt {

// What connections ask of their server. Any thread.
class Host {
 public:
  virtual ~Host() = default;
  virtual const ServerOptions& options() const = 0;
  virtual Handler& handler() = 0;
  virtual const Clock& clock() const = 0;
  virtual bool stopping() const = 0;
  virtual bool crowded() const = 0;
  // Makes or finds the client's session and joins it to `wire`; the bool: it was there before.
  virtual std::pair<std::shared_ptr<LiveSession>, bool> join(const Connect& request,
                                                             ConnectAnswer answer,
                                                             std::shared_ptr<Wire> wire) = 0;
  virtual void left(const std::shared_ptr<LiveSession>& session) = 0;
  virtual void spawn(const Executor& executor, std::string_view name, Task<void> task) = 0;
};

class Connection final : public Wire, public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, Executor executor, Host& host);

  Task<void> run();  // until the peer, a deadline, a take-over or a stop ends it
  void check(MonoTime now, WallTime wall);  // the periodic sweep: deadlines
  void stop();                              // reads no more, answers what is under way, then ends

  void kick() override;
  void end(Ended how, std::string_view why) override;

 private:
  struct Unanswered {
    uint16_t id = 0;  // 0: QoS 0
    bool done = false;
  };

  Task<Result<void>> open();
  Task<Result<void>> refuse(ConnectCode code, std::string why);
  Task<void> serve();
  Task<Result<Packet>> next(size_t limit);
  Task<Result<bool>> take(Packet packet);  // false: the client said DISCONNECT
  Task<Result<void>> subscribe(Subscribe packet);
  Task<Result<void>> unsubscribe(Unsubscribe packet);
  Task<void> publish(Publish message, std::shared_ptr<Unanswered> place);
  Task<void> close();
  void answer(std::string bytes);
  void answer_connack(bool present);
  void flush_soon();
  Task<void> flush();
  Task<void> until(bool (Connection::*reached)() const);
  bool room() const { return unanswered_.size() < host_.options().max_unanswered || over_; }
  bool idle() const { return unanswered_.empty() && !flushing_; }
  void changed() { changed_.cancel(); }
  void abort(Ended how, std::string_view why);

  Host& host_;
  const Executor executor_;
  Stream stream_;
  Peer peer_;
  std::string buffer_;  // bytes that came and are no whole packet yet
  std::shared_ptr<LiveSession> session_;
  std::optional<Will> will_;
  std::deque<std::shared_ptr<Unanswered>> unanswered_;  // in the packets' order
  std::string out_;
  bool flushing_ = false, over_ = false, stopping_ = false;
  std::atomic<bool> kicked_{false};
  Ended how_ = Ended::lost;
  std::string why_;
  std::chrono::nanoseconds silence_{};
  MonoTime deadline_ = MonoTime::max(), write_deadline_ = MonoTime::max();
  std::optional<WallTime> expires_;
  boost::asio::steady_timer changed_;  // cancelled when something changed
};

}  // namespace holdfast::mqtt
