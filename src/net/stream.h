// A connected socket, plain or TLS, for net/ alone. TLS is SSL_set_fd on the non-blocking socket:
// an idle connection costs a fifth of what a stream over memory buffers does, and sendfile stays
// possible on plain ones. One reader and one writer at a time, all on the socket's executor.
#pragma once

#include <utility>

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>

#include "base/bytes.h"
#include "net/task.h"
#include "net/tls.h"

struct ssl_st;

namespace holdfast {

class Stream {
 public:
  explicit Stream(boost::asio::ip::tcp::socket socket);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // unavailable where the handshake fails; the message says why.
  Task<Result<void>> handshake_server(std::shared_ptr<TlsContext> tls);
  Task<Result<void>> handshake_client(std::shared_ptr<TlsContext> tls, std::string host);

  // 0 at the peer's orderly end. unavailable: reset; cancelled: abort() or the task's cancellation.
  Task<Result<size_t>> read_some(std::span<std::byte> into);
  // What the socket takes at once of both pieces, none on TLS: bytes. unavailable: it is lost.
  Result<size_t> write_now(ByteView first, ByteView second = {});
  // All of both pieces in one system call where the socket takes them.
  Task<Result<void>> write(ByteView first, ByteView second = {});
  // `size` bytes of `fd` from `offset`: by the kernel alone on plain sockets, and with TLS where it
  // encrypts.
  Task<Result<void>> send_file(int fd, uint64_t offset, uint64_t size);

  // Wakes every wait with an error and ends the connection; any state, own executor.
  void abort();
  // Whether all that the peer sent was read and it has closed its end. Any thread, while the stream
  // is open.
  bool peer_closed();
  bool tls() const { return ssl_ != nullptr; }
  // After the handshake: whether the kernel encrypts what is sent.
  bool kernel_tls() const;
  boost::asio::ip::tcp::socket& socket() { return socket_; }

 private:
  Task<Result<void>> handshake();
  Task<Result<void>> write_tls(ByteView bytes);
  Task<Result<void>> copy_file(int fd, uint64_t offset, uint64_t size);
  Task<Result<void>> send_file_tls(int fd, uint64_t offset, uint64_t size);
  // Waits until the TLS layer can go on after `outcome`; an error where it cannot.
  Task<Result<void>> wait_tls(int outcome);

  boost::asio::ip::tcp::socket socket_;
  ssl_st* ssl_ = nullptr;
  std::shared_ptr<TlsContext> context_;
};

}  // namespace holdfast
