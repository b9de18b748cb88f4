#include "net/mqtt/testing.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>

#include "net/mqtt/live_session.h"

namespace holdfast::mqtt {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

// The connection between the two ends. All of it lives on `executor`.
struct Link final : Wire, std::enable_shared_from_this<Link> {
  Link(Executor executor_, ClientOptions client_, Handler& handler_)
      : executor(std::move(executor_)),
        client(std::move(client_)),
        handler(handler_),
        changed(executor, asio::steady_timer::time_point::max()) {}

  void kick() override {
    asio::post(executor, [self = shared_from_this()] { self->wake(); });
  }
  void end(Ended how, std::string_view) override {
    asio::post(executor, [self = shared_from_this(), how] { self->lose(how); });
  }
  void wake() { changed.cancel(); }
  void lose(Ended how) {
    if (!up) return;
    up = false;
    // The session must not take this link for its next connection.
    session->detach(this, Clock::now());
    handler.disconnected(session, how);
    const Error why(Code::unavailable, "the link was cut");
    if (client.on_state) client.on_state(false, &why);
    wake();
  }

  Task<Result<void>> connect() {
    Connect request;
    request.client_id = client.client_id;
    request.clean_session = client.clean_session;
    request.keep_alive = static_cast<uint16_t>(client.keep_alive.count());
    request.will = client.will;
    if (client.credentials) {
      CO_TRY(const Credentials fresh, co_await client.credentials());
      request.username = fresh.username;
      request.password = fresh.password;
    }
    const Peer peer{"memory", true};
    auto answer = co_await handler.connect(request, peer);
    if (answer.code != ConnectCode::accepted)
      co_return fail(Code::denied, "the server refuses these credentials");
    if (!session || client.clean_session) {
      session = std::make_shared<LiveSession>(client.client_id, client.clean_session, limits);
      for (const auto& each : answer.subscriptions) session->subscribe(each);
    }
    session->attach(shared_from_this(), std::move(answer.context));
    up = true;
    handler.connected(session);
    if (client.on_state) client.on_state(true, nullptr);
    wake();
    co_return Result<void>();
  }

  // Carries messages from the session to the client, acknowledging what was taken.
  Task<void> run() {
    const auto self = shared_from_this();
    while (!stopped) {
      if (wanted && !up && !refused) {
        if (auto connected = co_await connect(); !connected) refused = connected.error();
        wake();
      }
      std::vector<std::function<void()>> sent;
      const std::string bytes = up ? session->take(this, 1 << 20, sent) : std::string();
      for (auto& call : sent) call();
      if (bytes.empty()) {
        co_await changed.async_wait(asio::as_tuple(asio::use_awaitable));
        continue;
      }
      std::string_view rest = bytes;
      while (!rest.empty() && up) {
        auto decoded = decode(rest, 1 << 20).value();
        rest.remove_prefix(decoded->size);
        auto& message = std::get<Publish>(decoded->packet);
        const uint16_t id = message.id;
        Result<void> taken;
        if (client.on_message) taken = co_await client.on_message(std::move(message));
        if (!taken || id == 0 || !up) continue;
        if (auto call = session->acknowledged(id)) call();
      }
    }
  }

  Task<Result<void>> until_up(std::chrono::milliseconds limit) {
    const auto self = shared_from_this();
    asio::steady_timer most(executor, limit);
    bool late = false;
    most.async_wait([&late, self](const boost::system::error_code& error) {
      if (error) return;
      late = true;
      self->wake();
    });
    while (!up) {
      if (stopped) co_return fail(Code::cancelled, "the MQTT client stops");
      if (refused) co_return std::unexpected(*refused);
      if (late) co_return fail(Code::timed_out, "not connected in time");
      co_await changed.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    most.cancel();
    co_return Result<void>();
  }

  const Executor executor;
  const ClientOptions client;
  const ServerOptions limits;
  Handler& handler;
  std::shared_ptr<LiveSession> session;
  std::atomic<bool> up{false};
  bool wanted = false, stopped = false;
  std::optional<Error> refused;
  asio::steady_timer changed;
};

Task<Result<void>> wait_up(std::shared_ptr<Link> link, std::chrono::milliseconds limit) {
  co_return co_await link->until_up(limit);
}

Task<Result<void>> publish_on(std::shared_ptr<Link> link, Publish message,
                              std::chrono::milliseconds limit) {
  if (message.qos == Qos::at_most_once && !link->up)
    co_return fail(Code::unavailable, "no connection");
  const auto until = std::chrono::steady_clock::now() + limit;
  for (message.id = 1;; message.dup = true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left <= std::chrono::milliseconds(0))
      co_return fail(Code::timed_out, "the message was not acknowledged in time");
    CO_TRY_VOID(co_await link->until_up(left));
    auto taken = co_await link->handler.publish(link->session, message);
    if (taken && link->up) co_return taken;
    if (taken && message.qos == Qos::at_most_once) co_return taken;
    // As a server does: a message that is not taken ends the connection.
    if (!taken) link->lose(Ended::closed_here);
    if (!taken && message.qos == Qos::at_most_once) co_return Result<void>();
  }
}

Task<Result<void>> subscribe_on(std::shared_ptr<Link> link, Subscription wanted,
                                std::chrono::milliseconds limit) {
  CO_TRY_VOID(co_await link->until_up(limit));
  const uint8_t code = co_await link->handler.subscribe(link->session, wanted);
  if (code == kRefused) co_return fail(Code::denied, "the server refuses the filter");
  wanted.qos = code == 0 ? Qos::at_most_once : Qos::at_least_once;
  link->session->subscribe(wanted);
  link->handler.subscribed(link->session, wanted);
  link->wake();
  co_return Result<void>();
}

Task<Result<void>> unsubscribe_on(std::shared_ptr<Link> link, std::string filter,
                                  std::chrono::milliseconds limit) {
  CO_TRY_VOID(co_await link->until_up(limit));
  link->session->unsubscribe(filter);
  co_await link->handler.unsubscribe(link->session, std::move(filter));
  co_return Result<void>();
}

class LinkedClient final : public MemoryClient {
 public:
  LinkedClient(Executor executor, ClientOptions options, Handler& handler)
      : link_(std::make_shared<Link>(std::move(executor), std::move(options), handler)) {}

  void start() override {
    link_->wanted = true;
    group_.spawn(link_->executor, "memory link", link_->run());
  }
  bool connected() const override { return link_->up; }
  Task<Result<void>> wait_connected(std::chrono::milliseconds limit) override {
    return on_link(wait_up(link_, limit));
  }
  Task<Result<void>> publish(Publish message, std::chrono::milliseconds limit) override {
    return on_link(publish_on(link_, std::move(message), limit));
  }
  Task<Result<void>> subscribe(Subscription wanted, std::chrono::milliseconds limit) override {
    return on_link(subscribe_on(link_, std::move(wanted), limit));
  }
  Task<Result<void>> unsubscribe(std::string filter, std::chrono::milliseconds limit) override {
    return on_link(unsubscribe_on(link_, std::move(filter), limit));
  }
  void reconnect() override {
    at_link([](Link& link) {
      link.refused.reset();
      link.lose(Ended::lost);
    });
  }
  void cut() override {
    at_link([](Link& link) {
      link.wanted = false;
      link.lose(Ended::lost);
    });
  }
  void restore() override {
    at_link([](Link& link) {
      link.wanted = true;
      link.refused.reset();
      link.wake();
    });
  }
  Task<void> stop() override {
    at_link([](Link& link) {
      link.stopped = true;
      link.lose(Ended::by_client);
      link.wake();
    });
    co_await group_.join();
    if (link_->session) link_->session->finish();
  }

 private:
  void at_link(std::function<void(Link&)> work) {
    asio::post(link_->executor, [link = link_, work = std::move(work)] { work(*link); });
  }
  Task<Result<void>> on_link(Task<Result<void>> task) {
    co_return co_await asio::co_spawn(link_->executor, std::move(task), asio::use_awaitable);
  }
  std::shared_ptr<Link> link_;
  TaskGroup group_;
};

}  // namespace

std::unique_ptr<MemoryClient> make_memory_client(Executor executor, ClientOptions options,
                                                 Handler& handler) {
  return std::make_unique<LinkedClient>(std::move(executor), std::move(options), handler);
}

}  // namespace holdfast::mqtt
