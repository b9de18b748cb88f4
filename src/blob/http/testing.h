// For tests: requests as the server makes them.
#pragma once

#include <unistd.h>

#include "blob/testing.h"
#include "net/http/message.h"

namespace holdfast::blob {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

inline http::Request make_request(std::string method, std::string_view target,
                                  const HeaderList& headers = {}, std::string body = "") {
  http::Request request;
  request.method = std::move(method);
  const size_t mark = target.find('?');
  request.target = target;
  request.path = target.substr(0, mark);
  if (mark != std::string_view::npos) {
    for (const auto pair : split(target.substr(mark + 1), '&')) {
      const size_t equals = pair.find('=');
      request.query.emplace_back(
          percent_decode(pair.substr(0, equals)).value(),
          equals == std::string_view::npos ? "" : percent_decode(pair.substr(equals + 1)).value());
    }
  }
  request.peer = "127.0.0.1:1234";
  request.id = "7b0e1f9c";
  request.content_length = body.size();
  request.headers.set("Content-Length", std::to_string(body.size()));
  for (const auto& [name, value] : headers) request.headers.add(name, value);
  request.body = std::make_unique<MemorySource>(std::move(body));
  return request;
}

inline std::string body_of(http::Response& response) {
  if (auto* whole = std::get_if<std::string>(&response.body)) return *whole;
  if (auto* stream = std::get_if<http::StreamBody>(&response.body))
    return run_task(read_all(*stream->source, 1 << 30)).value_or("the body broke off");
  std::string out;
  for (const http::FileRange& range : std::get<http::FileRanges>(response.body)) {
    for (uint64_t at = 0; at < range.size;) {
      Result<uint64_t> good = range.size - at;
      if (range.check) good = range.check->passed(range.offset + at, range.size - at);
      if (!good) return "the body broke off";
      std::string piece(*good, '\0');
      if (!read_exact(range.fd->get(), std::as_writable_bytes(std::span(piece)), range.offset + at))
        return "the body broke off";
      out += piece;
      at += *good;
    }
  }
  return out;
}

}  // namespace holdfast::blob
