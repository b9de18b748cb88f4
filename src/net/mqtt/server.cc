#include "net/mqtt/server.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <map>
#include <set>

#include "net/listeners.h"
#include "net/mqtt/connection.h"

namespace holdfast::mqtt {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

struct Server::State final : Host {
  State(ServerOptions options, Handler& handler, const Clock& clock)
      : options_(std::move(options)), handler_(handler), clock_(clock) {}

  const ServerOptions& options() const override { return options_; }
  Handler& handler() override { return handler_; }
  const Clock& clock() const override { return clock_; }
  bool stopping() const override { return stopping_; }
  bool crowded() const override { return open_ > options_.max_connections; }
  std::pair<std::shared_ptr<LiveSession>, bool> join(const Connect& request, ConnectAnswer answer,
                                                     std::shared_ptr<Wire> wire) override;
  void left(const std::shared_ptr<LiveSession>& session) override;
  void spawn(const Executor& executor, std::string_view name, Task<void> task) override {
    serving_.spawn(executor, name, std::move(task));
  }

  Task<void> serve(unsigned core, tcp::socket socket);
  Task<void> sweep(unsigned core);
  void forget_abandoned();

  ServerOptions options_;
  Handler& handler_;
  const Clock& clock_;
  std::unique_ptr<Listeners> listeners_;
  std::vector<std::set<Connection*>> connections_;  // of each core, touched on its executor alone
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> open_{0};
  TaskGroup accepting_, serving_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<LiveSession>, std::less<>> sessions_;
};

std::pair<std::shared_ptr<LiveSession>, bool> Server::State::join(const Connect& request,
                                                                  ConnectAnswer answer,
                                                                  std::shared_ptr<Wire> wire) {
  std::shared_ptr<LiveSession> session, ended;
  bool present = false;
  {
    const std::lock_guard lock(mutex_);
    auto& place = sessions_[request.client_id];
    // A session that was clean is over with its connection, and so is one before a clean one.
    if (place && (request.clean_session || place->clean())) ended = std::exchange(place, nullptr);
    present = place != nullptr;
    if (!place) {
      place = std::make_shared<LiveSession>(request.client_id, request.clean_session, options_);
      if (!request.clean_session && answer.session_present) {
        present = true;
        for (auto& each : answer.subscriptions) place->subscribe(std::move(each));
      }
    }
    session = place;
  }
  std::shared_ptr<Wire> earlier = ended ? ended->finish() : nullptr;
  if (auto replaced = session->attach(std::move(wire), std::move(answer.context)))
    earlier = std::move(replaced);
  if (earlier) earlier->end(Ended::taken_over, "the client connected anew");
  return {std::move(session), present};
}

void Server::State::left(const std::shared_ptr<LiveSession>& session) {
  if (!session->clean()) return;
  session->finish();
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(session->client_id());
  if (found != sessions_.end() && found->second == session) sessions_.erase(found);
}

void Server::State::forget_abandoned() {
  const MonoTime since = clock_.monotonic() - options_.session_life;
  std::vector<std::shared_ptr<LiveSession>> gone;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = sessions_.begin(); it != sessions_.end();) {
      if (it->second->abandoned_since(since)) {
        gone.push_back(std::move(it->second));
        it = sessions_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (auto& session : gone) {
    // One that connected in between keeps its connection until it is told to come again.
    if (auto wire = session->finish()) wire->end(Ended::closed_here, "the session has ended");
  }
}

Task<void> Server::State::serve(unsigned core, tcp::socket socket) {
  struct Registered {
    Registered(State& state_, unsigned core_, Connection* connection_)
        : state(state_), core(core_), connection(connection_) {
      state.connections_[core].insert(connection);
      ++state.open_;
    }
    Registered(const Registered&) = delete;
    Registered& operator=(const Registered&) = delete;
    ~Registered() {
      state.connections_[core].erase(connection);
      --state.open_;
    }
    State& state;
    unsigned core;
    Connection* connection;
  };
  auto connection =
      std::make_shared<Connection>(std::move(socket), listeners_->executor(core), *this);
  const Registered registered(*this, core, connection.get());
  // Far over the limit not even a refusal is worth a handshake.
  if (open_ > 2 * options_.max_connections) co_return;
  co_await connection->run();
}

// One timer a core watches the deadlines of all its connections.
Task<void> Server::State::sweep(unsigned core) {
  const auto period = std::clamp<std::chrono::milliseconds>(
      options_.connect_timeout / 4, std::chrono::milliseconds(20), std::chrono::milliseconds(500));
  while (co_await sleep_for(period)) {
    for (Connection* connection : connections_[core])
      connection->check(clock_.monotonic(), clock_.now());
    if (core == 0) forget_abandoned();
  }
}

Result<std::unique_ptr<Server>> Server::start(Runtime& runtime, ServerOptions options,
                                              Handler& handler, const Clock& clock) {
  auto state = std::make_shared<State>(std::move(options), handler, clock);
  TRY(state->listeners_, Listeners::open(runtime, state->options_.name, state->options_.address));
  state->connections_.resize(state->listeners_->cores());
  state->listeners_->start(state->accepting_,
                           [at = state.get()](unsigned core, tcp::socket socket) {
                             at->serving_.spawn(at->listeners_->executor(core), "mqtt connection",
                                                at->serve(core, std::move(socket)));
                           });
  for (unsigned core = 0; core < state->listeners_->cores(); ++core)
    state->accepting_.spawn(state->listeners_->executor(core), "mqtt sweep", state->sweep(core));
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

std::string Server::address() const {
  return state_->listeners_->address();
}
uint16_t Server::port() const {
  return state_->listeners_->port();
}
size_t Server::connections() const {
  return state_->open_;
}

std::shared_ptr<Session> Server::find(std::string_view client_id) const {
  const std::lock_guard lock(state_->mutex_);
  const auto found = state_->sessions_.find(client_id);
  return found == state_->sessions_.end() ? nullptr : found->second;
}

Task<void> Server::stop(std::chrono::milliseconds grace) {
  state_->stopping_ = true;
  // A later stop() would not wait for what it posts.
  const bool first = state_->listeners_->close();
  for (unsigned core = 0; first && core < state_->listeners_->cores(); ++core) {
    asio::post(state_->listeners_->executor(core), [state = state_.get(), core] {
      for (Connection* connection : state->connections_[core]) connection->stop();
    });
  }
  const auto until = std::chrono::steady_clock::now() + grace;
  while (state_->serving_.size() > 0 && std::chrono::steady_clock::now() < until) {
    co_await sleep_for(std::chrono::milliseconds(5));
  }
  state_->serving_.cancel();
  state_->accepting_.cancel();
  co_await state_->serving_.join();
  co_await state_->accepting_.join();
  const std::lock_guard lock(state_->mutex_);
  for (auto& [id, session] : state_->sessions_) session->finish();
  state_->sessions_.clear();
}

}  // namespace holdfast::mqtt
