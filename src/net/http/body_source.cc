#include "net/http/body_source.h"

#include <algorithm>
#include <cstring>

namespace holdfast::http {

Error body_too_large(uint64_t limit) {
  return Error(Code::too_large, "body_too_large", "the body is larger than " + format_size(limit));
}

BodySource::BodySource(Connection& connection, Parser<true>& parser, uint64_t limit,
                       bool expect_continue)
    : connection_(connection), parser_(parser), limit_(limit), expect_continue_(expect_continue) {
  if (!parser.chunked()) left_ = parser.content_length() ? *parser.content_length() : 0;
}

Task<Result<size_t>> BodySource::read(std::span<std::byte> into) {
  if (expect_continue_) {
    expect_continue_ = false;
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    CO_TRY_VOID(co_await connection_.stream.write(as_bytes(go_on)));
  }
  if (left_) {
    const auto room = into.first(std::min<uint64_t>(into.size(), *left_));
    co_return co_await read_announced(room);
  }
  co_return co_await read_chunks(into);
}

// The next bytes from the peer: into the connection's buffer, or past it where there is room. The
// end of a stream is told once, an error too; a read behind it would wait for the deadline.
Task<Result<size_t>> BodySource::more(std::span<std::byte> room) {
  if (cut_) co_return fail(Code::unavailable, "the body was cut short");
  connection_.expect_body();
  auto came = room.empty() ? co_await connection_.fill() : co_await connection_.receive(room);
  cut_ = !came || *came == 0;
  if (came && cut_) co_return fail(Code::unavailable, "the body was cut short");
  co_return came;
}

Task<Result<size_t>> BodySource::read_chunks(std::span<std::byte> into) {
  parser_.room = into;
  while (!parser_.is_done() && parser_.room.size() == into.size() && !into.empty()) {
    if (!connection_.unread().empty()) {
      boost::beast::error_code error;
      connection_.consume(parser_.feed(as_bytes(connection_.unread()), error));
      if (error == boost::beast::http::error::body_limit)
        co_return std::unexpected(body_too_large(limit_));
      if (error)
        co_return fail(Code::invalid_argument, "the body is not well formed: " + error.message());
      if (parser_.is_done() || parser_.room.size() != into.size()) break;
    }
    CO_TRY_VOID(co_await more({}));
  }
  connection_.expect_nothing();  // what the handler does with the bytes has its own deadlines
  co_return into.size() - parser_.room.size();
}

// A body of a known length is its bytes: there is nothing to parse, and what is not in the buffer
// yet goes past it.
Task<Result<size_t>> BodySource::read_announced(std::span<std::byte> into) {
  if (into.empty()) co_return size_t{0};
  size_t count = 0;
  if (connection_.unread().empty()) {
    const bool past = into.size() >= Connection::kReadSize;
    CO_TRY(const size_t came, co_await more(past ? into : std::span<std::byte>()));
    if (past) count = came;
    connection_.expect_nothing();  // what the handler does with the bytes has its own deadlines
  }
  if (count == 0) {
    const std::string_view bytes = connection_.unread().substr(0, into.size());
    std::memcpy(into.data(), bytes.data(), bytes.size());
    connection_.consume(bytes.size());
    count = bytes.size();
  }
  *left_ -= count;
  co_return count;
}

}  // namespace holdfast::http
