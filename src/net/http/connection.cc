#include "net/http/connection.h"

#include <algorithm>
#include <cstring>

#include "base/digest.h"
#include "net/http/body_source.h"
#include "net/http/head.h"

namespace holdfast::http {

namespace {

constexpr auto kLinger = std::chrono::seconds(2);
constexpr uint64_t kDrainLimit =
    256 << 10;  // an unread body up to this is read away to keep the connection
constexpr size_t kHeadLimit = 1 << 10;  // larger heads are not kept while a connection is idle

}  // namespace

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

std::span<std::byte> Connection::room() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (begin_ > 0 && end_ == buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
  return std::as_writable_bytes(std::span(buffer_.data() + end_, buffer_.size() - end_));
}

Task<Result<size_t>> Connection::fill() {
  CO_TRY(const size_t count, co_await receive(room()));
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
  begin();
  for (bool open = true; open;) {
    const Next next = serve_at_once();
    if (next == Next::coroutine) {
      open = co_await answer_late();
      if (open) begin();
    } else if (next == Next::bytes) {
      const auto count = co_await stream.read_some(room());
      open = count && *count > 0;
      if (open) end_ += *count;
      if (!open && timed_out_ && !idle_)
        co_await reject(Error(Code::timed_out, "the request head did not arrive in time"), 408);
    } else {
      open = false;
    }
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
  co_await reject(
      Error(Code::unavailable, "this server has all the connections that it takes; try again"),
      503);
}

Task<void> Connection::reject(const Error& error, unsigned status) {
  exchange_.emplace();
  refuse_request(error, status);
  co_await answer_late();
}

void Connection::refuse_request(const Error& error, unsigned status) {
  Request& request = exchange_->request;
  if (request.path.empty()) {
    request.method = "GET";
    request.path = "/";
  }
  if (request.id.empty()) request.id = random_uuid();
  exchange_->response = router_.error(error, request);
  exchange_->response.status = status;
  exchange_->refused = true;
}

void Connection::begin() {
  Parser<true>& parser = exchange_.emplace().parser;
  parser.header_limit(static_cast<uint32_t>(options_.max_header_bytes));
  parser.body_limit(boost::none);  // which one holds is known after the head
  parser.eager(false);
  head_.clear();
  expect_head();
}

void Connection::expect_head() {
  idle_ = true;
  expect_within(options_.idle_timeout);
}

// Requests that are there as a whole and need not wait are answered here one after the other.
Connection::Next Connection::serve_at_once() {
  while (read_head()) {
    if (!answer_at_once()) return Next::coroutine;
    if (!exchange_->reusable) return Next::end;
    exchange_->response = Response();
    expect_head();
  }
  return Next::bytes;
}

// A client's requests often differ in their bodies alone: the same head says the same again, but
// that its caller may not be let in any more.
bool Connection::repeat_head() {
  Exchange& exchange = *exchange_;
  if (head_.empty() || !unread().starts_with(head_)) return false;
  consume(head_.size());
  exchange.answered = false;
  exchange.head.clear();
  exchange.sent = 0;
  exchange.request.id = random_uuid();
  if (auto refused = router_.refuse(*exchange.route, exchange.request)) {
    exchange.route = nullptr;
    exchange.response = *std::move(refused);
    head_.clear();
  }
  return true;
}

bool Connection::read_head() {
  if (unread().empty()) return false;
  if (exchange_->answered) {
    if (repeat_head()) {
      idle_ = false;
      return true;
    }
    begin();
  }
  Parser<true>& parser = exchange_->parser;
  boost::beast::error_code error;
  const std::string_view bytes = unread();
  const size_t used = parser.feed(as_bytes(bytes), error);
  consume(used);
  if (error == boost::beast::http::error::header_limit) {
    refuse_request(Error(Code::too_large, "the request head is larger than " +
                                              format_size(options_.max_header_bytes)),
                   431);
  } else if (error) {
    refuse_request(Error(Code::invalid_argument, "not an HTTP request: " + error.message()), 400);
  } else if (parser.is_header_done()) {
    // One that came in pieces is not kept.
    if (idle_ && used <= kHeadLimit) head_ = bytes.substr(0, used);
    take_head();
  } else {
    if (idle_) expect_within(options_.header_timeout);
    idle_ = false;
    return false;
  }
  idle_ = false;
  return true;
}

void Connection::take_head() {
  Exchange& exchange = *exchange_;
  Parser<true>& parser = exchange.parser;
  parser.eager(true);  // from here on it takes all that a read brought
  Request& request = exchange.request;
  request.method = std::move(parser.method);
  request.target = std::move(parser.target);
  request.headers = std::move(parser.headers);
  request.peer = peer;
  request.tls = stream.tls();
  request.id = random_uuid();
  if (!parser.chunked())
    request.content_length = parser.content_length() ? *parser.content_length() : 0;
  if (auto split = split_target(request); !split) {
    request.path.clear();
    return refuse_request(split.error(), 400);
  }
  exchange.expects_continue =
      equal_ignore_case(request.headers.get_or("Expect", ""), "100-continue");
  exchange.body_limit = router_.body_limit(request.path).value_or(options_.max_body_bytes);
  if (request.content_length.value_or(0) > exchange.body_limit)
    return refuse_request(body_too_large(exchange.body_limit), 413);
  parser.body_limit(exchange.body_limit);
  request.gone = [this] { return stream.peer_closed(); };
  auto route = router_.find(request);
  if (route)
    exchange.route = *route;
  else
    exchange.response = std::move(route).error();
}

bool Connection::answer_at_once() {
  Exchange& exchange = *exchange_;
  Request& request = exchange.request;
  const uint64_t size = request.content_length.value_or(UINT64_MAX);  // of chunks nobody knows
  if (exchange.refused || exchange.route == nullptr || exchange.expects_continue ||
      size > unread().size())
    return false;
  auto response = router_.run_at_once(*exchange.route, request, unread().substr(0, size));
  if (!response) return false;
  consume(size);
  exchange.response = *std::move(response);
  exchange.answered = true;
  exchange.reusable = exchange.parser.keep_alive() && !stopping_;
  return respond_at_once();
}

Task<bool> Connection::answer_late() {
  Exchange& exchange = *exchange_;
  if (exchange.answered) {
    const auto sent = co_await respond(exchange.reusable);
    co_return sent.has_value() && exchange.reusable;
  }
  if (exchange.refused) {
    const auto sent = co_await respond(false);
    unread_ = sent.has_value();
    co_return false;
  }
  auto source = std::make_unique<BodySource>(*this, exchange.parser, exchange.body_limit,
                                             exchange.expects_continue);
  BodySource& body = *source;
  exchange.request.body = std::move(source);
  expect_nothing();  // the handler has its own deadlines
  if (exchange.route != nullptr)
    exchange.response = co_await router_.run(*exchange.route, exchange.request);
  // Where the rest of a body is not worth reading, the connection ends after the answer.
  bool reusable =
      exchange.parser.keep_alive() && !stopping_ && (body.finished() || !body.untouched());
  if (reusable && !body.finished()) {
    std::vector<std::byte> scrap(kReadSize);
    uint64_t drained = 0;
    while (!body.finished() && reusable) {
      const auto count = co_await body.read(scrap);
      drained += count.value_or(0);
      reusable = count && drained <= kDrainLimit;
    }
  }
  if (!co_await respond(reusable)) co_return false;
  unread_ = !body.finished();
  co_return reusable;
}

}  // namespace holdfast::http
