#include "net/http/connection.h"

#include <algorithm>
#include <cstring>

#include "base/digest.h"
#include "net/http/head.h"
#include "net/http/parser.h"

namespace holdfast::http {

namespace {

constexpr size_t kReadSize = 16 << 10;
constexpr auto kLinger = std::chrono::seconds(2);
constexpr uint64_t kDrainLimit =
    256 << 10;  // an unread body up to this is read away to keep the connection

Request request_from(Parser<true>& parser, const std::string& peer, bool tls) {
  Request request;
  request.method = std::move(parser.method);
  request.target = std::move(parser.target);
  request.headers = std::move(parser.headers);
  request.peer = peer;
  request.tls = tls;
  request.id = random_uuid();
  if (!parser.chunked())
    request.content_length = parser.content_length() ? *parser.content_length() : 0;
  return request;
}

Error body_too_large(uint64_t limit) {
  return Error(Code::too_large, "body_too_large", "the body is larger than " + format_size(limit));
}

}  // namespace

// The body of the request under way; reads through the connection's buffer.
class BodySource final : public ByteSource {
 public:
  BodySource(Connection& connection, Parser<true>& parser, uint64_t limit, bool expect_continue)
      : connection_(connection), parser_(parser), limit_(limit), expect_continue_(expect_continue) {
    if (!parser.chunked()) left_ = parser.content_length() ? *parser.content_length() : 0;
  }

  Task<Result<size_t>> read(std::span<std::byte> into) override {
    if (expect_continue_) {
      expect_continue_ = false;
      static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      CO_TRY_VOID(co_await connection_.stream.write(as_bytes(go_on)));
    }
    if (left_) {
      const auto room = into.first(std::min<uint64_t>(into.size(), *left_));
      co_return co_await read_announced(room);
    }
    parser_.room = into;
    while (!parser_.is_done() && parser_.room.size() == into.size() && !into.empty()) {
      if (connection_.available() > 0) {
        boost::beast::error_code error;
        const ByteView bytes = as_bytes(std::string_view(connection_.buffer_)
                                            .substr(connection_.begin_, connection_.available()));
        connection_.begin_ += parser_.feed(bytes, error);
        if (error == boost::beast::http::error::body_limit)
          co_return std::unexpected(body_too_large(limit_));
        if (error)
          co_return fail(Code::invalid_argument, "the body is not well formed: " + error.message());
        if (parser_.is_done() || parser_.room.size() != into.size()) break;
      }
      connection_.expect_within(connection_.options_.body_timeout);
      // The end of a stream is told once; a read behind it would wait for the deadline.
      if (cut_) co_return fail(Code::unavailable, "the body was cut short");
      CO_TRY(const size_t count, co_await connection_.fill());
      cut_ = count == 0;
    }
    connection_.expect_nothing();  // what the handler does with the bytes has its own deadlines
    co_return into.size() - parser_.room.size();
  }

  std::optional<uint64_t> left() const override { return left_; }
  bool finished() const { return left_ ? *left_ == 0 : parser_.is_done(); }
  bool untouched() const { return expect_continue_; }

 private:
  // A body of a known length is its bytes: there is nothing to parse, and what is not in the buffer
  // yet goes past it.
  Task<Result<size_t>> read_announced(std::span<std::byte> into) {
    if (into.empty()) co_return size_t{0};
    size_t count = 0;
    if (connection_.available() == 0) {
      if (cut_) co_return fail(Code::unavailable, "the body was cut short");
      connection_.expect_within(connection_.options_.body_timeout);
      size_t came = 0;
      if (into.size() >= kReadSize) {
        CO_TRY(came, co_await connection_.receive(into));
        count = came;
      } else {
        CO_TRY(came, co_await connection_.fill());
      }
      // The end of a stream is told once; a read behind it would wait for the deadline.
      cut_ = came == 0;
      if (cut_) co_return fail(Code::unavailable, "the body was cut short");
      connection_.expect_nothing();  // what the handler does with the bytes has its own deadlines
    }
    if (count == 0) {
      count = std::min(into.size(), connection_.available());
      std::memcpy(into.data(), connection_.buffer_.data() + connection_.begin_, count);
      connection_.begin_ += count;
    }
    *left_ -= count;
    co_return count;
  }

  Connection& connection_;
  Parser<true>& parser_;
  uint64_t limit_;
  bool expect_continue_;
  std::optional<uint64_t> left_;  // nullopt: chunked
  bool cut_ = false;
};

Connection::Connection(boost::asio::ip::tcp::socket socket, const ServerOptions& options,
                       const Router& router, const std::atomic<bool>& stopping)
    : stream(std::move(socket)),
      options_(options),
      router_(router),
      stopping_(stopping),
      buffer_(kReadSize, '\0') {
  boost::system::error_code error;
  const auto remote = stream.socket().remote_endpoint(error);
  if (!error) peer = remote.address().to_string() + ":" + std::to_string(remote.port());
}

void Connection::expect_within(std::chrono::seconds time) {
  deadline_ = std::chrono::steady_clock::now() + time;
}

void Connection::check(MonoTime now) {
  if (now >= deadline_) {
    timed_out_ = true;
    stream.abort();
  } else if (idle_ && stopping_) {
    stream.abort();
  }
}

Task<Result<size_t>> Connection::fill() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (begin_ > 0 && end_ == buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, available());
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
  const auto room = std::as_writable_bytes(std::span(buffer_.data() + end_, buffer_.size() - end_));
  CO_TRY(const size_t count, co_await receive(room));
  end_ += count;
  co_return count;
}

Task<Result<size_t>> Connection::receive(std::span<std::byte> room) {
  auto count = co_await stream.read_some(room);
  if (!count && timed_out_) co_return fail(Code::timed_out, "the peer sent nothing in time");
  co_return count;
}

Task<void> Connection::run() {
  if (options_.tls) {
    idle_ = false;
    expect_within(options_.header_timeout);
    if (!co_await stream.handshake_server(options_.tls)) co_return;
  }
  while (co_await one_request()) {
  }
  if (unread_) co_await linger();
}

// A socket that is closed with bytes unread is reset, and the peer may never see its answer: what
// it still sends is read away for a moment (RFC 9112, section 9.6).
Task<void> Connection::linger() {
  boost::system::error_code error;
  if (!stream.tls()) stream.socket().shutdown(boost::asio::socket_base::shutdown_send, error);
  expect_within(kLinger);
  std::vector<std::byte> scrap(kReadSize);
  for (;;) {
    const auto count = co_await stream.read_some(scrap);
    if (!count || *count == 0) co_return;
  }
}

Task<void> Connection::refuse() {
  expect_within(std::chrono::seconds(1));
  co_await reject(
      Error(Code::unavailable, "this server has all the connections that it takes; try again"),
      503);
}

Task<bool> Connection::reject(const Error& error, unsigned status) {
  Request request;
  request.method = "GET";
  request.path = "/";
  request.id = random_uuid();
  Response response = router_.error(error, request);
  response.status = status;
  const auto answered = co_await respond(request, response, false);
  unread_ = answered.has_value();
  co_return false;
}

Task<bool> Connection::one_request() {
  Parser<true> parser;
  parser.header_limit(static_cast<uint32_t>(options_.max_header_bytes));
  parser.body_limit(boost::none);  // which one holds is known after the head
  parser.eager(false);
  idle_ = true;
  expect_within(options_.idle_timeout);
  boost::beast::error_code error;
  while (!parser.is_header_done()) {
    if (available() > 0) {
      if (idle_) {
        idle_ = false;
        expect_within(options_.header_timeout);
      }
      begin_ += parser.feed(as_bytes(std::string_view(buffer_).substr(begin_, available())), error);
      if (error == boost::beast::http::error::header_limit)
        co_return co_await reject(
            Error(Code::too_large,
                  "the request head is larger than " + format_size(options_.max_header_bytes)),
            431);
      if (error)
        co_return co_await reject(
            Error(Code::invalid_argument, "not an HTTP request: " + error.message()), 400);
      if (parser.is_header_done()) break;
    }
    const auto count = co_await fill();
    if (!count || *count == 0) {
      if (timed_out_ && !idle_)
        co_return co_await reject(Error(Code::timed_out, "the request head did not arrive in time"),
                                  408);
      co_return false;
    }
  }
  parser.eager(true);  // from here on it takes all that a read brought
  const bool keep_alive = parser.keep_alive();
  Request request = request_from(parser, peer, stream.tls());
  const bool expect = equal_ignore_case(request.headers.get_or("Expect", ""), "100-continue");
  if (auto split = split_target(request); !split) co_return co_await reject(split.error(), 400);
  const uint64_t limit = router_.body_limit(request.path).value_or(options_.max_body_bytes);
  if (request.content_length.value_or(0) > limit) {
    Response response = router_.error(body_too_large(limit), request);
    response.status = 413;
    const auto answered = co_await respond(request, response, false);
    unread_ = answered.has_value();
    co_return false;
  }
  parser.body_limit(limit);
  auto source = std::make_unique<BodySource>(*this, parser, limit, expect);
  BodySource& body = *source;
  request.body = std::move(source);
  request.gone = [this] { return stream.peer_closed(); };
  expect_nothing();  // the handler has its own deadlines
  Response response = co_await router_.handle(request);
  // Where the rest of a body is not worth reading, the connection ends after the answer.
  bool reusable = keep_alive && !stopping_ && (body.finished() || !body.untouched());
  if (reusable && !body.finished()) {
    std::vector<std::byte> scrap(kReadSize);
    uint64_t drained = 0;
    while (!body.finished() && reusable) {
      const auto count = co_await body.read(scrap);
      drained += count.value_or(0);
      reusable = count && drained <= kDrainLimit;
    }
  }
  if (!co_await respond(request, response, reusable)) co_return false;
  unread_ = !body.finished();
  co_return reusable;
}

}  // namespace holdfast::http
