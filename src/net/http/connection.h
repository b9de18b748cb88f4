// One accepted connection of the HTTP server. For server.cc and connection.cc alone.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "net/http/server.h"
#include "net/stream.h"

namespace holdfast::http {

class Connection {
 public:
  Connection(boost::asio::ip::tcp::socket socket, const ServerOptions& options,
             const Router& router, const std::atomic<bool>& stopping);

  // Until the peer, a deadline or a stop ends it.
  Task<void> run();
  // Answers 503 and ends: there are too many connections.
  Task<void> refuse();

  // On the connection's executor, from the periodic sweep: ends it when its deadline has passed, or
  // when it is idle and the server stops.
  void check(MonoTime now);

  // For the body source: reads more bytes into the buffer, or past it into `room`. 0 at the peer's
  // end.
  Task<Result<size_t>> fill();
  Task<Result<size_t>> receive(std::span<std::byte> room);
  void expect_within(std::chrono::seconds time);
  void expect_nothing() { deadline_ = MonoTime::max(); }  // the peer is not being waited for

  Stream stream;
  std::string peer;

 private:
  friend class BodySource;
  Task<bool> one_request();
  Task<Result<void>> respond(const Request& request, Response& response, bool keep_alive);
  Task<Result<void>> respond_stream(StreamBody& body, std::string head, bool send_body,
                                    bool chunked);
  Task<Result<void>> send_range(const FileRange& range);
  Task<bool> reject(const Error& error, unsigned status);
  Task<void> linger();
  size_t available() const { return end_ - begin_; }

  const ServerOptions& options_;
  const Router& router_;
  const std::atomic<bool>& stopping_;
  std::string buffer_;
  size_t begin_ = 0, end_ = 0;
  MonoTime deadline_ = MonoTime::max();
  bool idle_ = true, timed_out_ = false;
  bool unread_ = false;  // the peer may still be sending what nobody reads
};

}  // namespace holdfast::http
