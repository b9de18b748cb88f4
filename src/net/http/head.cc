#include "net/http/head.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/clock.h"

namespace holdfast::http {
namespace {

// Formatting a date costs more than the rest of a head; it changes once a second.
const std::string& date_line() {
  thread_local std::time_t made = 0;
  thread_local std::string line;
  const std::time_t now = std::time(nullptr);
  if (now != made) {
    made = now;
    line = "Date: " + format_http_date(WallTime(std::chrono::seconds(now))) + "\r\n";
  }
  return line;
}

bool clean(std::string_view text) {
  return text.find_first_of("\r\n") == std::string_view::npos;
}

// A value that came from a client must not make a header of its own.
void append_headers(std::string& head, const Headers& headers) {
  const size_t start = head.size();
  ptrdiff_t lines = 0;
  for (const auto& [name, value] : headers) {
    head.append(name).append(": ").append(value).append("\r\n");
    ++lines;
  }
  // Counting is quicker than to look at each.
  const std::string_view all = std::string_view(head).substr(start);
  if (std::ranges::count(all, '\r') == lines && std::ranges::count(all, '\n') == lines) return;
  head.resize(start);
  for (const auto& [name, value] : headers) {
    if (clean(name) && clean(value)) head.append(name).append(": ").append(value).append("\r\n");
  }
}

void append_number(std::string& out, uint64_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, std::end(digits), number).ptr);
}

}  // namespace

Result<void> split_target(Request& request) {
  std::string_view target = request.target;
  if (target.starts_with("http://") || target.starts_with("https://")) {
    const size_t slash = target.find('/', target.find("//") + 2);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  if (target == "*") target = "/";
  if (!target.starts_with('/'))
    return fail(Code::invalid_argument, "the request target must begin with '/'");
  const size_t mark = target.find('?');
  request.path = std::string(target.substr(0, mark));
  if (mark == std::string_view::npos) return {};
  const auto pairs = split(target.substr(mark + 1), '&');
  request.query.reserve(pairs.size());
  for (std::string_view pair : pairs) {
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    TRY(std::string name, percent_decode(pair.substr(0, equals), true));
    TRY(std::string value,
        percent_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true));
    request.query.emplace_back(std::move(name), std::move(value));
  }
  return {};
}

std::string response_head(const Response& response, std::optional<uint64_t> length, bool chunked,
                          bool keep_alive) {
  std::string head;
  head.reserve(256 + 4 * 16 + response.headers.text_size());
  head += "HTTP/1.1 ";
  append_number(head, response.status);
  head += ' ';
  head += phrase(response.status);
  head += "\r\n";
  head += date_line();
  append_headers(head, response.headers);
  if (chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (length) {
    head += "Content-Length: ";
    append_number(head, *length);
    head += "\r\n";
  }
  if (!keep_alive) head += "Connection: close\r\n";
  head += "\r\n";
  return head;
}

std::string chunk_head(size_t size) {
  if (size == 0) return "0\r\n\r\n";
  char text[24];
  const int n = std::snprintf(text, sizeof text, "%zx\r\n", size);
  return std::string(text, static_cast<size_t>(n));
}

std::string_view phrase(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

}  // namespace holdfast::http
