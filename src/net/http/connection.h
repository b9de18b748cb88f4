// One accepted connection of the HTTP server. For the server's files alone.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "net/http/parser.h"
#include "net/http/server.h"
#include "net/stream.h"

namespace holdfast::http {

// A request from the parse of its head on.
struct Exchange {
  Parser<true> parser;
  Request request;
  const Route* route = nullptr;  // null: `response` is the answer
  uint64_t body_limit = 0;
  bool expects_continue = false;
  Response response;
  bool refused = false;   // what follows the head is not read
  bool answered = false;  // at once, its body being there: the parser never saw that
  bool reusable = false;  // where answered: the connection is
  std::string head;       // of an answer whose first bytes were sent at once
  size_t sent = 0;        // of head and body
};

class Connection {
 public:
  static constexpr size_t kReadSize = 16 << 10;  // bytes that a read has room for, at least

  Connection(boost::asio::ip::tcp::socket socket, const ServerOptions& options,
             const Router& router, const std::atomic<bool>& stopping);

  // Until the peer, a deadline or a stop ends it.
  Task<void> run();
  // Answers 503 and ends: there are too many connections.
  Task<void> refuse();

  // On the connection's executor, from the periodic sweep: ends it when its deadline has passed, or
  // when it is idle and the server stops.
  void check(MonoTime now);

  // For the body source: what was read and is not used yet; reads more to it, or past it into
  // `room`. 0 at the peer's end.
  std::string_view unread() const {
    return std::string_view(buffer_).substr(begin_, end_ - begin_);
  }
  void consume(size_t count) { begin_ += count; }
  Task<Result<size_t>> fill();
  Task<Result<size_t>> receive(std::span<std::byte> room);
  void expect_body() { expect_within(options_.body_timeout); }
  void expect_nothing() { deadline_ = MonoTime::max(); }  // the peer is not being waited for

  Stream stream;
  std::string peer;

 private:
  enum class Next { bytes, coroutine, end };  // what is needed, to go on with
  void begin();
  void expect_head();
  Next serve_at_once();
  bool read_head();
  bool repeat_head();
  void take_head();
  void refuse_request(const Error& error, unsigned status);
  bool answer_at_once();
  Task<bool> answer_late();
  bool respond_at_once();
  Task<Result<void>> respond(bool keep_alive);
  Task<Result<void>> respond_stream(StreamBody& body, std::string head, bool send_body,
                                    bool chunked);
  Task<Result<void>> send_range(const FileRange& range);
  Task<void> reject(const Error& error, unsigned status);
  Task<void> linger();
  std::span<std::byte> room();
  void expect_within(std::chrono::seconds time);

  const ServerOptions& options_;
  const Router& router_;
  const std::atomic<bool>& stopping_;
  std::string buffer_;
  size_t begin_ = 0, end_ = 0;
  std::optional<Exchange> exchange_;
  std::string head_;  // what the exchange's request was read from, where it may come again
  MonoTime deadline_ = MonoTime::max();
  bool idle_ = true, timed_out_ = false;
  bool unread_ = false;  // the peer may still be sending what nobody reads
};

}  // namespace holdfast::http
