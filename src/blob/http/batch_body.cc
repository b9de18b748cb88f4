#include "blob/http/batch_body.h"

#include <optional>

#include "net/http/head.h"

namespace holdfast::blob {
namespace {

constexpr size_t kHeaders = 100, kBoundary = 70;

std::unexpected<Error> broken(std::string why) {
  return fail(Code::invalid_argument, "invalid_batch", "the batch is not valid: " + std::move(why));
}

// The next line without its end; nullopt at the end of the text.
std::optional<std::string_view> next_line(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

Result<std::string> boundary_of(std::string_view content_type) {
  const auto parts = split(content_type, ';');
  if (equal_ignore_case(trim(parts.front()), "multipart/mixed")) {
    for (size_t i = 1; i < parts.size(); ++i) {
      const std::string_view part = trim(parts[i]);
      const size_t equals = part.find('=');
      if (equals == std::string_view::npos ||
          !equal_ignore_case(trim(part.substr(0, equals)), "boundary"))
        continue;
      std::string_view value = trim(part.substr(equals + 1));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
      if (!value.empty() && value.size() <= kBoundary) return std::string(value);
    }
  }
  return fail(Code::invalid_argument, "invalid_header",
              "Content-Type must be multipart/mixed with a boundary of 1 to 70 characters");
}

// Header lines up to the blank one, or the end.
Result<http::Headers> headers_in(std::string_view& text) {
  http::Headers headers;
  size_t count = 0;
  while (const auto line = next_line(text)) {
    if (line->empty()) break;
    const size_t colon = line->find(':');
    if (colon == 0 || colon == std::string_view::npos ||
        line->substr(0, colon).find_first_of(" \t") != std::string_view::npos ||
        line->find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos)
      return broken("a line is no header");
    if (++count > kHeaders) return broken("a part has over 100 headers");
    headers.add(line->substr(0, colon), std::string(trim(line->substr(colon + 1))));
  }
  return headers;
}

Result<BatchPart> part_in(std::string_view text) {
  BatchPart part;
  TRY(const http::Headers outer, headers_in(text));
  if (!equal_ignore_case(outer.get_or("Content-Type", ""), "application/http"))
    return broken("a part's Content-Type must be application/http");
  part.id = std::string(outer.get_or("Content-ID", ""));
  const auto words = split(next_line(text).value_or(""), ' ');
  if (words.size() != 3 || words[0].empty() || !words[2].starts_with("HTTP/1."))
    return broken("a part does not begin with a request line");
  http::Request& request = part.request;
  request.method = std::string(words[0]);
  request.target = std::string(words[1]);
  if (auto taken = http::split_target(request); !taken) return broken(taken.error().message());
  TRY(request.headers, headers_in(text));
  request.content_length = 0;
  if (const auto length = request.headers.get("Content-Length"); length && trim(*length) != "0")
    return broken("a sub-request has no body");
  if (request.headers.get("Transfer-Encoding") ||
      text.find_first_not_of("\r\n") != std::string_view::npos)
    return broken("a sub-request has no body");
  request.body = std::make_unique<MemorySource>("");
  return part;
}

}  // namespace

Result<std::vector<BatchPart>> parse_batch(std::string_view content_type, std::string_view body) {
  TRY(const std::string boundary, boundary_of(content_type));
  const std::string mark = "--" + boundary;
  std::vector<BatchPart> parts;
  std::optional<const char*> begin;  // of the part that is being read
  while (const auto line = next_line(body)) {
    if (!line->starts_with(mark)) continue;
    const std::string_view rest = line->substr(mark.size());
    const std::string_view tail = trim(rest.starts_with("--") ? rest.substr(2) : rest);
    if (!tail.empty()) continue;  // a longer line is content
    if (begin) {
      if (parts.size() == kBatchParts)
        return fail(Code::invalid_argument, "too_many_parts",
                    "a batch has at most 256 sub-requests");
      TRY(BatchPart part,
          part_in(std::string_view(*begin, static_cast<size_t>(line->data() - *begin))));
      parts.push_back(std::move(part));
    }
    if (rest.starts_with("--")) {
      if (parts.empty()) return broken("it has no sub-request");
      return parts;
    }
    begin = body.data();
  }
  return broken("its last boundary is missing");
}

std::string batch_answer(std::string_view boundary, std::string_view id,
                         const http::Response& response) {
  std::string out = "--" + std::string(boundary) + "\r\nContent-Type: application/http\r\n";
  if (!id.empty()) out += "Content-ID: " + std::string(id) + "\r\n";
  const auto* text = std::get_if<std::string>(&response.body);
  out += "\r\nHTTP/1.1 " + std::to_string(response.status) + " " +
         std::string(http::phrase(response.status)) + "\r\n";
  for (const auto& [name, value] : response.headers) {
    if (value.find_first_of("\r\n") == std::string::npos)
      out.append(name).append(": ").append(value).append("\r\n");
  }
  if (text != nullptr && !text->empty())
    out += "Content-Length: " + std::to_string(text->size()) + "\r\n";
  return out + "\r\n" + (text != nullptr ? *text : std::string()) + "\r\n";
}

}  // namespace holdfast::blob
