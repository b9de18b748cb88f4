#include "net/http/client.h"

#include <algorithm>
#include <random>

#include "net/http/parser.h"
#include "net/http/pool.h"

namespace holdfast::http {
namespace {

constexpr size_t kReadSize = 16 << 10;

Task<Result<size_t>> read_more(const std::shared_ptr<Wire>& wire) {
  const size_t had = wire->buffer.size();
  wire->buffer.resize(had + kReadSize);
  auto count = co_await wire->stream.read_some(
      std::as_writable_bytes(std::span(wire->buffer.data() + had, kReadSize)));
  wire->buffer.resize(had + count.value_or(0));
  co_return count;
}

class ResponseBody final : public ByteSource {
 public:
  ResponseBody(std::shared_ptr<Wire> wire, std::unique_ptr<Parser<false>> parser, Lease lease,
               std::chrono::milliseconds timeout)
      : wire_(std::move(wire)),
        parser_(std::move(parser)),
        lease_(std::move(lease)),
        timeout_(timeout) {
    if (parser_->is_done())
      left_ = 0;  // that of a HEAD, whose length is another's
    else if (parser_->content_length())
      left_ = *parser_->content_length();
    finish();
  }

  Task<Result<size_t>> read(std::span<std::byte> into) override {
    if (!parser_ || into.empty()) co_return size_t{0};
    if (left_) co_return co_await read_announced(into.first(std::min(into.size(), *left_)));
    co_return co_await read_parsed(into);
  }
  std::optional<uint64_t> left() const override { return left_; }

 private:
  // There is nothing to parse, and what is not in the buffer yet goes past it.
  Task<Result<size_t>> read_announced(std::span<std::byte> into) {
    std::string& buffer = wire_->buffer;
    size_t count = std::min(buffer.size(), into.size());
    if (count > 0) {
      std::memcpy(into.data(), buffer.data(), count);
      buffer.erase(0, count);
    } else {
      wire_->expect_within(wire_, timeout_);
      const bool past = into.size() >= kReadSize;
      auto came = past ? co_await wire_->stream.read_some(into) : co_await read_more(wire_);
      if (!came) co_return std::unexpected(in_time(*wire_, came.error()));
      if (*came == 0) co_return fail(Code::unavailable, "the answer was cut short");
      if (!past) co_return co_await read_announced(into);
      count = *came;
    }
    *left_ -= count;
    finish();
    co_return count;
  }

  Task<Result<size_t>> read_parsed(std::span<std::byte> into) {
    parser_->room = into;
    while (!parser_->is_done() && parser_->room.size() == into.size()) {
      boost::beast::error_code error;
      if (!wire_->buffer.empty()) {
        const size_t used = parser_->feed(as_bytes(wire_->buffer), error);
        wire_->buffer.erase(0, used);
        if (error)
          co_return fail(Code::unavailable, "the answer is not well formed: " + error.message());
        if (parser_->is_done() || parser_->room.size() != into.size()) break;
      }
      wire_->expect_within(wire_, timeout_);
      auto count = co_await read_more(wire_);
      if (!count) co_return std::unexpected(in_time(*wire_, count.error()));
      if (*count == 0) {
        parser_->put_eof(error);
        if (error || !parser_->is_done())
          co_return fail(Code::unavailable, "the answer was cut short");
      }
    }
    const size_t got = into.size() - parser_->room.size();
    finish();
    co_return got;
  }

  void finish() {
    if (!parser_ || !(left_ ? *left_ == 0 : parser_->is_done())) return;
    const bool again = parser_->keep_alive() && wire_->buffer.empty() && !wire_->timed_out;
    parser_.reset();
    wire_->expect_within(wire_, std::chrono::milliseconds(0));
    // Once it is given back, another exchange may have it at once.
    if (again) lease_.keep(std::move(wire_));
  }
  std::shared_ptr<Wire> wire_;
  std::unique_ptr<Parser<false>> parser_;
  Lease lease_;
  std::chrono::milliseconds timeout_;
  std::optional<uint64_t> left_;  // nullopt: chunks, or until the connection ends
};

std::string request_head(const ClientRequest& request, const Url& url, uint64_t length) {
  std::string head =
      request.method + " " + url.target + " HTTP/1.1\r\nHost: " + url.authority + "\r\n";
  for (const auto& [name, value] : request.headers)
    head.append(name).append(": ").append(value).append("\r\n");
  if (length > 0 || (request.method != "GET" && request.method != "HEAD"))
    head += "Content-Length: " + std::to_string(length) + "\r\n";
  return head + "\r\n";
}

std::unique_ptr<Parser<false>> response_parser(const ClientRequest& request, size_t header_limit) {
  auto parser = std::make_unique<Parser<false>>();
  parser->header_limit(static_cast<uint32_t>(header_limit));
  parser->body_limit(boost::none);
  parser->eager(false);
  if (request.method == "HEAD") parser->skip(true);
  return parser;
}

// Nothing that a caller passes may begin a header or a request of its own.
Result<void> check_lines(const ClientRequest& request) {
  const auto clean = [](std::string_view text) {
    return text.find_first_of("\r\n") == std::string_view::npos;
  };
  bool good = clean(request.method) && request.method.find(' ') == std::string::npos &&
              !request.method.empty();
  for (const auto& [name, value] : request.headers) good = good && clean(name) && clean(value);
  if (!good) return fail(Code::invalid_argument, "a method or header holds a line break");
  return {};
}

// One exchange on one connection. `answered` tells whether any byte of an answer came.
Task<Result<ClientResponse>> exchange(const ClientRequest& request, const Url& url,
                                      std::shared_ptr<Wire> wire, Lease lease, size_t header_limit,
                                      bool& answered) {
  wire->timed_out = false;
  wire->expect_within(wire, request.timeout);
  const ByteView bytes = request.lent.empty() ? as_bytes(request.body) : request.lent;
  const ByteView body = request.file ? ByteView() : bytes;
  const std::string head =
      request_head(request, url, request.file ? request.file->size : body.size());
  auto sent = co_await wire->stream.write(as_bytes(head), body);
  if (sent && request.file)
    sent = co_await wire->stream.send_file(request.file->fd->get(), request.file->offset,
                                           request.file->size);
  // A server may answer and close before it has read all of a body that it refuses: the answer
  // counts.
  auto parser = response_parser(request, header_limit);
  boost::beast::error_code error;
  while (!parser->is_header_done()) {
    if (!wire->buffer.empty()) {
      const size_t used = parser->feed(as_bytes(wire->buffer), error);
      wire->buffer.erase(0, used);
      if (error) co_return fail(Code::unavailable, "the answer is not HTTP: " + error.message());
      if (parser->is_header_done() && parser->status / 100 == 1) {
        parser = response_parser(request, header_limit);  // interim: the answer is still to come
        continue;
      }
      if (parser->is_header_done()) break;
    }
    auto count = co_await read_more(wire);
    if (!count) co_return std::unexpected(in_time(*wire, sent ? count.error() : sent.error()));
    if (*count == 0)
      co_return fail(Code::unavailable, "the server closed the connection without an answer");
    answered = true;
  }
  parser->eager(true);  // from here on it takes all that a read brought
  ClientResponse response;
  response.status = parser->status;
  response.headers = std::move(parser->headers);
  response.body = std::make_unique<ResponseBody>(std::move(wire), std::move(parser),
                                                 std::move(lease), request.timeout);
  co_return response;
}

bool again(const Result<ClientResponse>& response) {
  if (response)
    return response->status == 502 || response->status == 503 || response->status == 504;
  return response.error().code() == Code::unavailable || response.error().code() == Code::timed_out;
}

std::chrono::milliseconds back_off(unsigned attempt) {
  thread_local std::mt19937 random{std::random_device()()};
  const int64_t most = std::min<int64_t>(100LL << std::min(attempt, 8u), 10'000);
  return std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(most / 2, most)(random));
}

}  // namespace

Client::Client(ClientOptions options) : state_(std::make_shared<State>()) {
  state_->options = std::move(options);
}
Client::~Client() = default;

Task<Result<ClientResponse>> Client::send(ClientRequest request) {
  CO_TRY(const Url url, parse_url(request.url));
  CO_TRY_VOID(check_lines(request));
  const std::string key = (url.tls ? "https://" : "http://") + url.authority;
  const Executor executor = co_await this_executor();
  for (unsigned attempt = 0;; ++attempt) {
    Result<ClientResponse> response = fail(Code::unavailable, "not sent");
    for (bool retry = true; retry;) {
      retry = false;
      std::shared_ptr<Wire> wire;
      auto turn = state_->take(key, executor, wire);
      const auto until = std::chrono::steady_clock::now() + request.timeout;
      while (turn == State::Turn::wait) {
        CO_TRY_VOID(co_await sleep_for(std::chrono::milliseconds(2)));
        if (std::chrono::steady_clock::now() > until)
          co_return fail(Code::timed_out, "all connections to " + url.authority + " are busy");
        turn = state_->take(key, executor, wire);
      }
      Lease lease(state_, key);
      if (turn == State::Turn::open) {
        auto made = co_await state_->connect(url, state_->options.connect_timeout);
        if (!made) {
          response = std::unexpected(made.error());
          break;
        }
        wire = *made;
      }
      const bool stale_possible = wire->used;
      bool answered = false;
      response = co_await exchange(request, url, wire, std::move(lease),
                                   state_->options.max_response_header_bytes, answered);
      // The server may have closed a kept connection just before: nothing was answered, so ask on a
      // new one.
      retry =
          !response && stale_possible && !answered && response.error().code() == Code::unavailable;
    }
    if (attempt >= request.retries || !again(response)) co_return response;
    CO_TRY_VOID(co_await sleep_for(back_off(attempt)));
  }
}

Task<Result<Client::Whole>> Client::fetch(ClientRequest request, uint64_t limit) {
  CO_TRY(ClientResponse response, co_await send(std::move(request)));
  Whole whole;
  whole.status = response.status;
  CO_TRY(whole.body, co_await read_all(*response.body, limit));
  whole.headers = std::move(response.headers);
  co_return whole;
}

}  // namespace holdfast::http
