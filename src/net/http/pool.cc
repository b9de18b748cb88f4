#include "net/http/pool.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "net/connect.h"

namespace holdfast::http {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

// A connected socket of the family AF_UNIX: what we do with it (read, write, wait) has no family.
Result<tcp::socket> unix_socket(const Executor& executor, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Code::invalid_argument, "too long for a socket's path: " + path);
  path.copy(address.sun_path, path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::unexpected(errno_error(errno, "socket"));
  tcp::socket socket(executor, tcp::v4(), fd);
  // Done at once, or refused: a listener with a full queue is EAGAIN.
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(Code::unavailable, "no connection to " + path + ": " + std::strerror(errno));
  return socket;
}

}  // namespace

Wire::Wire(Executor executor_, tcp::socket socket)
    : executor(std::move(executor_)), stream(std::move(socket)), timer(executor) {}

void Wire::expect_within(const std::shared_ptr<Wire>& self, std::chrono::milliseconds time) {
  const uint64_t number = ++armed;
  timer.cancel();
  if (time.count() == 0) return;
  timer.expires_after(time);
  timer.async_wait([weak = std::weak_ptr(self), number](const boost::system::error_code& error) {
    const auto wire = weak.lock();
    if (error || !wire || wire->armed != number) return;
    wire->timed_out = true;
    wire->stream.abort();
  });
}

Client::State::Host& Client::State::host(const std::string& key) {
  for (auto& [name, found] : hosts_) {
    if (name == key) return found;
  }
  return hosts_.emplace_back(key, Host()).second;
}

Client::State::Turn Client::State::take(const std::string& key, const Executor& executor,
                                        std::shared_ptr<Wire>& wire) {
  const std::lock_guard lock(mutex_);
  Host& at = host(key);
  const MonoTime now = std::chrono::steady_clock::now();
  for (auto it = at.idle.begin(); it != at.idle.end();) {
    if (now - (*it)->idle_since > options.idle_keep) {
      it = at.idle.erase(it);
      --at.open;
    } else if ((*it)->executor == executor) {
      wire = *it;
      at.idle.erase(it);
      return Turn::reuse;
    } else {
      ++it;
    }
  }
  if (at.open >= options.connections_per_host) {
    if (at.idle.empty()) return Turn::wait;
    at.idle.pop_front();  // another executor's: it can't be used here, so it makes room
    --at.open;
  }
  ++at.open;
  return Turn::open;
}

void Client::State::give_back(const std::string& key, std::shared_ptr<Wire> wire) {
  wire->expect_within(wire, std::chrono::milliseconds(0));
  wire->used = true;
  wire->idle_since = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  host(key).idle.push_back(std::move(wire));
}

void Client::State::closed(const std::string& key) {
  const std::lock_guard lock(mutex_);
  --host(key).open;
}

Task<Result<std::shared_ptr<Wire>>> Client::State::connect(const Url& url,
                                                           std::chrono::milliseconds limit) {
  const Executor executor = co_await this_executor();
  if (!options.unix_socket.empty()) {
    CO_TRY(tcp::socket local, unix_socket(executor, options.unix_socket));
    co_return std::make_shared<Wire>(executor, std::move(local));
  }
  auto wire = std::make_shared<Wire>(executor, tcp::socket(executor));
  wire->expect_within(wire, limit);
  if (auto done = co_await holdfast::connect(wire->stream, url.host, url.port, options.may_connect);
      !done) {
    if (wire->timed_out)
      co_return fail(Code::timed_out, "no connection to " + url.authority + " in time");
    co_return std::unexpected(done.error());
  }
  if (url.tls) {
    std::shared_ptr<TlsContext> tls = options.tls;
    if (!tls) {
      CO_TRY(tls, TlsContext::client(""));
    }
    auto shaken = co_await wire->stream.handshake_client(tls, url.host);
    if (!shaken)
      co_return std::unexpected(in_time(*wire, shaken.error()).with_context(url.authority));
  }
  co_return wire;
}

}  // namespace holdfast::http
