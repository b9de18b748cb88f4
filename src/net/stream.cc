#include "net/stream.h"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <vector>

#include "base/files.h"

namespace holdfast {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

Error from(const boost::system::error_code& error) {
  if (error == asio::error::operation_aborted)
    return Error(Code::cancelled, "the connection was closed here");
  return Error(Code::unavailable, "the connection was lost: " + error.message());
}

// sendfile and OpenSSL's writes know no MSG_NOSIGNAL: a peer that is gone must not end the program.
// A handler, not SIG_IGN, so that programs started from here get the default back.
void survive_lost_peers() {
  static std::once_flag once;
  std::call_once(once, [] { std::signal(SIGPIPE, [](int) {}); });
}

constexpr uint64_t kPiece = 64 << 10;  // what sendfile sends at a time
// One call at most sends so much, so that other connections of this thread get their turn.
constexpr uint64_t kMostAtOnce = 2 << 20;

// While it is held, a plain socket sends whole segments only; then what is left, at once.
class Cork {
 public:
  explicit Cork(int socket) : socket_(socket) { set(1); }
  ~Cork() { set(0); }
  Cork(const Cork&) = delete;
  Cork& operator=(const Cork&) = delete;

 private:
  void set(int on) const {
    if (socket_ >= 0) ::setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
  }
  const int socket_;
};

}  // namespace

Stream::Stream(tcp::socket socket) : socket_(std::move(socket)) {
  survive_lost_peers();
  boost::system::error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
}

Stream::~Stream() {
  if (ssl_ != nullptr) SSL_free(ssl_);
}

bool Stream::peer_closed() {
  char byte = 0;
  const ssize_t count = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
}

void Stream::abort() {
  // shutdown, not close: the number of a closed descriptor could be another connection's by the
  // time of a use.
  ::shutdown(socket_.native_handle(), SHUT_RDWR);
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

Task<Result<void>> Stream::wait_tls(int outcome) {
  const int why = SSL_get_error(ssl_, outcome);
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
    char text[256] = "the connection was lost";
    if (const unsigned long code = ERR_get_error(); code != 0)
      ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    co_return fail(Code::unavailable, std::string("TLS: ") + text);
  }
  const auto direction =
      why == SSL_ERROR_WANT_READ ? tcp::socket::wait_read : tcp::socket::wait_write;
  const auto [error] = co_await socket_.async_wait(direction, kAwait);
  if (error) co_return std::unexpected(from(error));
  co_return Result<void>();
}

Task<Result<void>> Stream::handshake() {
  for (;;) {
    ERR_clear_error();
    const int outcome = SSL_do_handshake(ssl_);
    if (outcome == 1) co_return Result<void>();
    CO_TRY_VOID(co_await wait_tls(outcome));
  }
}

Task<Result<void>> Stream::handshake_server(std::shared_ptr<TlsContext> tls) {
  context_ = std::move(tls);
  ssl_ = SSL_new(static_cast<SSL_CTX*>(context_->native().get()));
  SSL_set_fd(ssl_, socket_.native_handle());
  SSL_set_accept_state(ssl_);
  co_return co_await handshake();
}

Task<Result<void>> Stream::handshake_client(std::shared_ptr<TlsContext> tls, std::string host) {
  context_ = std::move(tls);
  ssl_ = SSL_new(static_cast<SSL_CTX*>(context_->native().get()));
  SSL_set_fd(ssl_, socket_.native_handle());
  SSL_set_connect_state(ssl_);
  // An address is matched against the certificate's addresses, a name against its names (and sent
  // as SNI).
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl_);
  if (X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) != 1) {
    SSL_set_tlsext_host_name(ssl_, host.c_str());
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl_, host.c_str()) != 1)
      co_return fail(Code::invalid_argument, "not a host name: " + host);
  }
  co_return co_await handshake();
}

Task<Result<size_t>> Stream::read_some(std::span<std::byte> into) {
  if (ssl_ == nullptr) {
    const auto buffer = asio::buffer(into.data(), into.size());
    const auto [error, count] = co_await socket_.async_read_some(buffer, kAwait);
    if (error == asio::error::eof) co_return size_t{0};
    if (error) co_return std::unexpected(from(error));
    co_return count;
  }
  for (;;) {
    ERR_clear_error();
    size_t count = 0;
    const int outcome = SSL_read_ex(ssl_, into.data(), into.size(), &count);
    if (outcome == 1) co_return count;
    if (SSL_get_error(ssl_, outcome) == SSL_ERROR_ZERO_RETURN) co_return size_t{0};
    CO_TRY_VOID(co_await wait_tls(outcome));
  }
}

Task<Result<void>> Stream::write_tls(ByteView bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    size_t count = 0;
    const int outcome = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count);
    if (outcome == 1) {
      bytes = bytes.subspan(count);
      continue;
    }
    CO_TRY_VOID(co_await wait_tls(outcome));
  }
  co_return Result<void>();
}

Result<size_t> Stream::write_now(ByteView first, ByteView second) {
  if (ssl_ != nullptr) return 0;
  std::array<iovec, 2> pieces = {iovec{const_cast<std::byte*>(first.data()), first.size()},
                                 iovec{const_cast<std::byte*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = second.empty() ? 1 : 2;
  const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    return fail(Code::unavailable, "the connection was lost while writing");
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

Task<Result<void>> Stream::write(ByteView first, ByteView second) {
  if (ssl_ != nullptr) {
    CO_TRY_VOID(co_await write_tls(first));
    co_return co_await write_tls(second);
  }
  // Nearly always the socket takes all of it at once, and no suspension is needed.
  CO_TRY(size_t done, write_now(first, second));
  if (done == first.size() + second.size()) co_return Result<void>();
  const size_t of_first = std::min(done, first.size());
  done -= of_first;
  const std::array<asio::const_buffer, 2> rest = {
      asio::const_buffer(first.data() + of_first, first.size() - of_first),
      asio::const_buffer(second.data() + done, second.size() - done)};
  const auto [error, count] = co_await asio::async_write(socket_, rest, kAwait);
  if (error) co_return std::unexpected(from(error));
  co_return Result<void>();
}

bool Stream::kernel_tls() const {
  return ssl_ != nullptr && BIO_get_ktls_send(SSL_get_wbio(ssl_)) != 0;
}

Task<Result<void>> Stream::copy_file(int fd, uint64_t offset, uint64_t size) {
  std::vector<std::byte> chunk(std::min<uint64_t>(size, 64 << 10));
  while (size > 0) {
    const std::span<std::byte> part(chunk.data(), std::min<uint64_t>(size, chunk.size()));
    CO_TRY_VOID(read_exact(fd, part, offset));
    CO_TRY_VOID(co_await write_tls(part));
    offset += part.size();
    size -= part.size();
  }
  co_return Result<void>();
}

Task<Result<void>> Stream::send_file_tls(int fd, uint64_t offset, uint64_t size) {
  while (size > 0) {
    ERR_clear_error();
    const ossl_ssize_t sent = SSL_sendfile(ssl_, fd, static_cast<off_t>(offset),
                                           std::min<uint64_t>(size, kMostAtOnce), 0);
    if (sent == 0) co_return fail(Code::internal, "the file is shorter than its index says");
    if (sent < 0) {
      CO_TRY_VOID(co_await wait_tls(-1));
      continue;
    }
    offset += static_cast<uint64_t>(sent);
    size -= static_cast<uint64_t>(sent);
  }
  co_return Result<void>();
}

Task<Result<void>> Stream::send_file(int fd, uint64_t offset, uint64_t size) {
  if (kernel_tls()) co_return co_await send_file_tls(fd, offset, size);
  if (ssl_ != nullptr) co_return co_await copy_file(fd, offset, size);
  // The kernel sends a file in pieces of 64 KiB, which are no whole number of segments: without the
  // cork the rest of each leaves alone, as a packet that costs as much as a full one.
  const Cork cork(size > kPiece ? socket_.native_handle() : -1);
  while (size > 0) {
    auto at = static_cast<off_t>(offset);
    const ssize_t sent =
        ::sendfile(socket_.native_handle(), fd, &at, std::min<uint64_t>(size, kMostAtOnce));
    if (sent > 0) {
      offset += static_cast<uint64_t>(sent);
      size -= static_cast<uint64_t>(sent);
      continue;
    }
    if (sent == 0) co_return fail(Code::internal, "the file is shorter than its index says");
    if (errno == EINTR) continue;
    if (errno != EAGAIN)
      co_return fail(Code::unavailable, "the connection was lost while sending a file");
    const auto [error] = co_await socket_.async_wait(tcp::socket::wait_write, kAwait);
    if (error) co_return std::unexpected(from(error));
  }
  co_return Result<void>();
}

}  // namespace holdfast
