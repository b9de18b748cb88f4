// HTTP messages as services see them: no Beast here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/files.h"
#include "net/byte_stream.h"
#include "net/http/headers.h"

namespace holdfast::http {

struct Principal {  // who asks; empty name: nobody
  std::string name;
  std::string role;  // "", "reader", "operator", "admin"
};

// A request whose head has arrived; the body streams. Lives until its response is written.
class Request {
 public:
  Request() = default;
  std::string method;  // as sent, upper case
  std::string target;  // as sent: raw path and query
  std::string path;    // raw (still percent-encoded) path, always begins '/'
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order; '+' is a space
  std::vector<std::pair<std::string, std::string>>
      params;  // decoded path parameters, by the router
  Headers headers;
  std::optional<uint64_t> content_length;  // nullopt: chunked
  std::string peer;                        // "127.0.0.1:54321"
  bool tls = false;
  std::string id;       // a UUID made for this request
  Principal principal;  // set by the router's authenticator
  // Whether the peer has closed its end, so that nobody may be left to answer. Any thread, while
  // the handler has not returned. May be empty.
  std::function<bool()> gone;
  std::unique_ptr<ByteSource> body;  // never null; decoded from chunks; the server's limit applies

  std::optional<std::string_view> query_value(std::string_view name) const;
  std::string_view param(std::string_view name) const;  // "" where absent
};

// Tells whether stretches of a file are what was once written, before they are sent.
class FileCheck {
 public:
  virtual ~FileCheck() = default;
  // Blocking. How many of the `size` bytes at `offset` may be sent, at least one: a large stretch
  // is passed in steps. internal: they are damaged.
  virtual Result<uint64_t> passed(uint64_t offset, uint64_t size) const = 0;
};

struct FileRange {  // sent by sendfile on plain sockets
  std::shared_ptr<Fd> fd;
  uint64_t offset = 0;
  uint64_t size = 0;
  std::shared_ptr<const FileCheck> check;  // null: sent as it is
};
using FileRanges = std::vector<FileRange>;  // one body, in order
struct StreamBody {                         // size nullopt: chunked
  std::unique_ptr<ByteSource> source;
  std::optional<uint64_t> size;
};

class Response {
 public:
  Response() = default;
  explicit Response(unsigned code) : status(code) {}
  Response(unsigned code, std::string_view content_type, std::string text);

  unsigned status = 200;
  Headers headers;  // content-length, date and connection are the server's
  std::variant<std::string, FileRange, FileRanges, StreamBody> body;
  RawBytes tail;  // sent behind a text, without a copy of it
  // For HEAD and 304: the length to announce in place of the body's own.
  std::optional<uint64_t> announced_length;

  Response& header(std::string_view name, std::string_view value) & {
    headers.set(name, value);
    return *this;
  }
  Response&& header(std::string_view name, std::string_view value) && {
    headers.set(name, value);
    return std::move(*this);
  }
};

// The status that a Code has where a protocol does not say otherwise.
unsigned status_of(Code code);

}  // namespace holdfast::http
