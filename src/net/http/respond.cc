// How a connection writes its answers: texts, stretches of files, streams.
#include <algorithm>

#include "net/http/connection.h"
#include "net/http/head.h"

namespace holdfast::http {
namespace {

constexpr uint64_t kCopyLimit = 16 << 10;  // files up to this leave in one piece with the head
constexpr uint64_t kFilePart = 8 << 20;    // progress by parts moves the deadline

bool is_bodiless(const Response& response) {
  return response.status == 204 || response.status == 304 || response.status < 200;
}

bool sends_body(const Request& request, const Response& response) {
  return request.method != "HEAD" && !is_bodiless(response);
}

// With the text itself where a tail follows it, so that two pieces are sent in any case.
std::string text_head(const Request& request, const Response& response, const std::string& text,
                      bool keep_alive) {
  std::optional<uint64_t> length = response.announced_length;
  if (!length && !is_bodiless(response)) length = text.size() + response.tail.size();
  std::string head = response_head(response, length, false, keep_alive);
  if (!response.tail.empty() && sends_body(request, response)) head += text;
  return head;
}

ByteView text_body(const Request& request, const Response& response, const std::string& text) {
  if (!sends_body(request, response)) return {};
  return response.tail.empty() ? as_bytes(text) : ByteView(response.tail);
}

}  // namespace

// Of an answer that is a text. True: all of it was sent, or can be no more.
bool Connection::respond_at_once() {
  Exchange& exchange = *exchange_;
  const auto* text = std::get_if<std::string>(&exchange.response.body);
  if (text == nullptr || stream.tls()) return false;
  exchange.head = text_head(exchange.request, exchange.response, *text, exchange.reusable);
  const ByteView body = text_body(exchange.request, exchange.response, *text);
  const auto sent = stream.write_now(as_bytes(exchange.head), body);
  if (!sent) exchange.reusable = false;
  if (!sent || *sent == exchange.head.size() + body.size()) return true;
  exchange.sent = *sent;
  return false;
}

Task<Result<void>> Connection::respond(bool keep_alive) {
  const Request& request = exchange_->request;
  Response& response = exchange_->response;
  expect_within(options_.body_timeout);
  if (auto* text = std::get_if<std::string>(&response.body)) {
    std::string& head = exchange_->head;
    if (head.empty()) head = text_head(request, response, *text, keep_alive);
    const size_t sent = exchange_->sent, of_head = std::min(sent, head.size());
    const ByteView body = text_body(request, response, *text);
    co_return co_await stream.write(as_bytes(head).subspan(of_head), body.subspan(sent - of_head));
  }
  const bool send_body = sends_body(request, response);
  if (auto* body = std::get_if<StreamBody>(&response.body)) {
    const bool chunked = !body->size;
    std::string head =
        response_head(response, body->size, chunked && !is_bodiless(response), keep_alive);
    co_return co_await respond_stream(*body, std::move(head), send_body, chunked);
  }
  if (auto* file = std::get_if<FileRange>(&response.body)) {
    FileRange only = std::move(*file);
    response.body = FileRanges{std::move(only)};
  }
  const auto& ranges = std::get<FileRanges>(response.body);
  uint64_t size = 0;
  for (const FileRange& range : ranges) size += range.size;
  const std::string head =
      response_head(response, response.announced_length.value_or(size), false, keep_alive);
  if (!send_body) co_return co_await stream.write(as_bytes(head));
  if (ranges.size() == 1 && size <= kCopyLimit && !ranges[0].check) {
    std::string piece(size, '\0');
    CO_TRY_VOID(read_exact(ranges[0].fd->get(), std::as_writable_bytes(std::span(piece)),
                           ranges[0].offset));
    co_return co_await stream.write(as_bytes(head), as_bytes(piece));
  }
  CO_TRY_VOID(co_await stream.write(as_bytes(head)));
  for (const FileRange& range : ranges) CO_TRY_VOID(co_await send_range(range));
  co_return Result<void>();
}

Task<Result<void>> Connection::send_range(const FileRange& range) {
  uint64_t offset = range.offset;
  for (uint64_t left = range.size; left > 0;) {
    uint64_t part = std::min(left, kFilePart);
    if (range.check) {
      CO_TRY(part, range.check->passed(offset, part));
    }
    expect_within(options_.body_timeout);
    CO_TRY_VOID(co_await stream.send_file(range.fd->get(), offset, part));
    offset += part;
    left -= part;
  }
  co_return Result<void>();
}

Task<Result<void>> Connection::respond_stream(StreamBody& body, std::string head, bool send_body,
                                              bool chunked) {
  if (!send_body) co_return co_await stream.write(as_bytes(head));
  expect_nothing();
  std::vector<std::byte> piece(64 << 10);
  uint64_t left = body.size.value_or(UINT64_MAX);
  for (;;) {
    const std::span<std::byte> room(piece.data(), std::min<uint64_t>(piece.size(), left));
    size_t count = 0;
    if (!room.empty()) {
      CO_TRY(count, co_await body.source->read(room));
    }
    if (count == 0 && !chunked && left > 0)
      co_return fail(Code::internal, "the body ended before its announced size");
    left -= count;
    expect_within(options_.body_timeout);
    if (chunked) head += chunk_head(count);
    const ByteView bytes(piece.data(), count);
    CO_TRY_VOID(co_await stream.write(as_bytes(head), bytes));
    expect_nothing();  // the source may be slow; the deadline is the peer's
    head = chunked && count > 0 ? "\r\n" : "";
    if (count == 0 || (!chunked && left == 0)) co_return Result<void>();
  }
}

}  // namespace holdfast::http
