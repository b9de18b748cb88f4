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
          *percent_decode(pair.substr(0, equals)),
          equals == std::string_view::npos ? "" : *percent_decode(pair.substr(equals + 1)));
    }
  }
  request.peer = "127.0.0.1:1234";
  request.id = "7b0e1f9c";
  request.content_length = body.size();
  for (const auto& [name, value] : headers) request.headers.add(name, value);
  request.body = std::make_unique<MemorySource>(std::move(body));
  return request;
}

inline std::string body_of(http::Response& response) {
  if (auto* whole = std::get_if<std::string>(&response.body)) return *whole;
  if (auto* stream = std::get_if<http::StreamBody>(&response.body))
    return run_task(read_all(*stream->source, 1 << 30)).value_or("the body broke off");
  const auto& range = std::get<http::FileRange>(response.body);
  std::string out(range.size, '\0');
  const ssize_t got =
      ::pread(range.fd->get(), out.data(), out.size(), static_cast<off_t>(range.offset));
  out.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return out;
}

}  // namespace holdfast::blob
