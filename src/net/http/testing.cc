#include "net/http/testing.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace holdfast::http {

LoopbackServer::LoopbackServer(const Router& router, ServerOptions options)
    : tls_(options.tls != nullptr) {
  auto started = Server::start(runtime_, std::move(options), router);
  if (!started) throw std::runtime_error(started.error().message());
  server_ = std::move(*started);
  runtime_.start();
}

LoopbackServer::~LoopbackServer() {
  run_task(server_->stop(std::chrono::milliseconds(1000)));
}

std::string LoopbackServer::url(std::string_view target) const {
  return (tls_ ? "https://" : "http://") + server_->address() + std::string(target);
}

namespace {

// The client lives inside the task: its pooled connections belong to the task's context.
Task<Result<Client::Whole>> fetch_once(ClientRequest request, ClientOptions options) {
  Client client(std::move(options));
  co_return co_await client.fetch(std::move(request));
}

}  // namespace

Result<Client::Whole> fetch(ClientRequest request, ClientOptions options) {
  return run_task(fetch_once(std::move(request), std::move(options)));
}

namespace {

// Nothing where it is refused.
Fd connect_and_send(uint16_t port, std::string_view bytes) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != std::ssize(bytes))
    fd = Fd();
  return fd;
}

}  // namespace

void send_and_reset(uint16_t port, std::string_view bytes) {
  const Fd fd = connect_and_send(port, bytes);
  const linger at_once{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

std::string exchange_raw(uint16_t port, std::string_view bytes, int seconds) {
  const Fd fd = connect_and_send(port, bytes);
  if (!fd) return "not connected";
  std::string got;
  char chunk[4096];
  pollfd ready{fd.get(), POLLIN, 0};
  while (::poll(&ready, 1, seconds * 1000) > 0) {
    const ssize_t n = ::recv(fd.get(), chunk, sizeof chunk, 0);
    if (n <= 0) break;
    got.append(chunk, static_cast<size_t>(n));
  }
  return got;
}

Task<Result<size_t>> FailingSource::read(std::span<std::byte> into) {
  CO_TRY(const size_t count, co_await good_.read(into));
  if (count == 0) co_return std::unexpected(error_);
  co_return count;
}

}  // namespace holdfast::http
