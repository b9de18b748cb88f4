#include "net/http/server.h"

#include <sys/resource.h>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <set>

#include "net/http/connection.h"
#include "net/listeners.h"
#include "net/task_group.h"

namespace holdfast::http {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

}  // namespace

struct Server::State {
  State(Runtime& runtime_, ServerOptions options_, const Router& router_)
      : runtime(runtime_), options(std::move(options_)), router(router_) {}
  Runtime& runtime;
  ServerOptions options;
  const Router& router;
  std::unique_ptr<Listeners> listeners;
  std::vector<std::set<Connection*>> connections;  // of each core, touched on its executor alone
  std::atomic<bool> stopping{false};
  std::atomic<size_t> open{0};
  TaskGroup accepting, serving;

  Task<void> serve(unsigned core, tcp::socket socket);
  Task<void> sweep(unsigned core);
};

Task<void> Server::State::serve(unsigned core, tcp::socket socket) {
  auto connection = std::make_unique<Connection>(std::move(socket), options, router, stopping);
  struct Registered {
    Registered(State& state_, unsigned core_, Connection* connection_)
        : state(state_), core(core_), connection(connection_) {
      state.connections[core].insert(connection);
      crowded = state.open.fetch_add(1) >= state.options.max_connections;
    }
    Registered(const Registered&) = delete;
    Registered& operator=(const Registered&) = delete;
    ~Registered() {
      state.connections[core].erase(connection);
      state.open.fetch_sub(1);
    }
    State& state;
    unsigned core;
    Connection* connection;
    bool crowded = false;
  };
  const Registered registered(*this, core, connection.get());
  if (registered.crowded) {
    co_await connection->refuse();
  } else {
    co_await connection->run();
  }
}

// One timer a core watches the deadlines of all its connections, so that a request arms none of its
// own.
Task<void> Server::State::sweep(unsigned core) {
  const auto shortest =
      std::min({options.header_timeout, options.idle_timeout, options.body_timeout});
  const auto period = std::clamp<std::chrono::milliseconds>(
      shortest / 4, std::chrono::milliseconds(20), std::chrono::milliseconds(1000));
  while (co_await sleep_for(period)) {
    const MonoTime now = std::chrono::steady_clock::now();
    for (Connection* connection : connections[core]) connection->check(now);
  }
}

Result<std::unique_ptr<Server>> Server::start(Runtime& runtime, ServerOptions options,
                                              const Router& router) {
  auto state = std::make_shared<State>(runtime, std::move(options), router);
  TRY(state->listeners, Listeners::open(runtime, state->options.name, state->options.address));
  state->connections.resize(state->listeners->cores());
  state->listeners->start(state->accepting, [at = state.get()](unsigned core, tcp::socket socket) {
    at->serving.spawn(at->listeners->executor(core), "connection",
                      at->serve(core, std::move(socket)));
  });
  for (unsigned core = 0; core < state->listeners->cores(); ++core)
    state->accepting.spawn(state->listeners->executor(core), "sweep", state->sweep(core));
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

size_t connections_of_each(size_t doors) {
  constexpr size_t kOthers = 4096, kFew = 1024, kMany = 16'384;
  rlimit limit{};
  const size_t files = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
  return std::clamp((std::max(files, kOthers) - kOthers) / doors, kFew, kMany);
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

std::string Server::address() const {
  return state_->listeners->address();
}
uint16_t Server::port() const {
  return state_->listeners->port();
}
size_t Server::connections() const {
  return state_->open;
}

Task<void> Server::stop(std::chrono::milliseconds grace) {
  state_->stopping = true;
  const bool first = state_->listeners->close();  // a later stop() would not wait for what it posts
  for (unsigned core = 0; first && core < state_->listeners->cores(); ++core) {
    asio::post(state_->listeners->executor(core), [state = state_.get(), core] {
      for (Connection* connection : state->connections[core])
        connection->check(std::chrono::steady_clock::now());
    });
  }
  // The sweep goes on meanwhile: it ends the connections that become idle.
  const auto until = std::chrono::steady_clock::now() + grace;
  while (state_->serving.size() > 0 && std::chrono::steady_clock::now() < until) {
    co_await sleep_for(std::chrono::milliseconds(5));
  }
  state_->serving.cancel();
  state_->accepting.cancel();
  co_await state_->serving.join();
  co_await state_->accepting.join();
}

}  // namespace holdfast::http
