// The MQTT client over a socket. For net_client.cc and client_connection.cc alone.
#pragma once

#include <atomic>
#include <deque>
#include <random>

#include <boost/asio/steady_timer.hpp>

#include "base/clock.h"
#include "net/mqtt/client.h"
#include "net/stream.h"

namespace holdfast::mqtt {

// What a caller waits for.
struct Call {
  enum Kind { publish, subscribe, unsubscribe, connected } kind = publish;
  Publish message;
  Subscription wanted;
  MonoTime deadline;
  bool sent = false;  // on the present connection
  std::function<void()> resume;
  Result<void> outcome;
};

// All of it lives on one executor, but for what is said otherwise.
struct ClientState : std::enable_shared_from_this<ClientState> {
  ClientState(Executor executor_, ClientOptions options_);

  // Any thread.
  Task<Result<void>> call(std::shared_ptr<Call> call, std::chrono::milliseconds limit);
  void on_executor(std::function<void(ClientState&)> work);

  // net_client.cc: calls, deadlines, life.
  void submit(std::shared_ptr<Call> call);
  void finish(const std::shared_ptr<Call>& call, Result<void> outcome);
  std::shared_ptr<Call> take(Call::Kind kind, uint16_t id);  // out of `calls`; null: none
  uint16_t free_id();
  void pump();  // sends what the window allows
  void up();    // connected, and subscriptions are in place
  void down(const Error& why);
  Task<void> run();
  Task<void> watch();  // deadlines of calls and of the connection
  void check(MonoTime now);
  MonoTime next_check() const;

  // client_connection.cc: one connection's life.
  Task<Result<void>> connect_once();
  Task<Result<void>> greet(Stream& to, Credentials credentials);
  Task<Result<void>> serve(Stream& from);
  Task<Result<Packet>> next(Stream& from);
  Result<void> take_packet(Packet packet);
  void settle(Call::Kind kind, uint16_t id, Result<void> outcome);
  Task<void> deliver();
  void write(std::string bytes);
  Task<void> flush(std::shared_ptr<Stream> to);
  void abort(Error why);

  const Executor executor;
  const ClientOptions options;
  TaskGroup group;
  std::atomic<bool> is_connected{false};
  bool stopping = false, started = false, closing = false, flushing = false, delivering = false;
  std::shared_ptr<Stream> stream;               // the present connection; null: none
  uint64_t generation = 0;                      // counts connections
  std::optional<Error> why;                     // why the connection was ended here
  std::optional<Error> last_failure;            // of connecting
  std::deque<std::shared_ptr<Call>> calls;      // under way or to be sent, in order
  std::vector<std::shared_ptr<Call>> to_write;  // QoS 0: done when written
  std::vector<Subscription> subscriptions;      // to renew
  std::optional<uint16_t> renewing;             // the id of the SUBSCRIBE that renews them
  std::deque<Publish> inbound;
  std::string buffer, out;
  uint16_t last_id = 0;
  MonoTime deadline = MonoTime::max();  // of connecting or closing
  MonoTime last_sent{}, connected_since{};
  MonoTime pong_deadline = MonoTime::max();
  boost::asio::steady_timer pause, tick;
  std::minstd_rand jitter{std::random_device()()};
};

}  // namespace holdfast::mqtt
