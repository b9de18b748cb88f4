// Beast's incremental parser, fed by hand: heads straight into our Headers, bodies straight into
// the reader's span. For connection.cc and client.cc alone.
#pragma once

#include <utility>

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <cstring>
#include <string>

#include "net/http/message.h"

namespace holdfast::http {

template <bool kRequest>
class Parser final : public boost::beast::http::basic_parser<kRequest> {
  using Base = boost::beast::http::basic_parser<kRequest>;
  using ErrorCode = boost::beast::error_code;
  using Text = boost::beast::string_view;

 public:
  std::string method, target;
  unsigned status = 0;
  Headers headers;
  std::span<std::byte> room;  // where body bytes go; shrinks as they come

  // Feeds `bytes`; returns how many were used. Stops after the head, when `room` is full and at the
  // end.
  size_t feed(ByteView bytes, ErrorCode& error) {
    const size_t used = Base::put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (error == boost::beast::http::error::need_more ||
        error == boost::beast::http::error::need_buffer)
      error = {};
    return used;
  }

 private:
  void on_request_impl(boost::beast::http::verb, Text verb, Text uri, int,
                       ErrorCode& error) override {
    error = {};
    method.assign(verb.data(), verb.size());
    target.assign(uri.data(), uri.size());
  }
  void on_response_impl(int code, Text, int, ErrorCode& error) override {
    error = {};
    status = static_cast<unsigned>(code);
  }
  void on_field_impl(boost::beast::http::field, Text name, Text value, ErrorCode& error) override {
    error = {};
    headers.add({name.data(), name.size()}, {value.data(), value.size()});
  }
  void on_header_impl(ErrorCode& error) override { error = {}; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode& error) override {
    error = {};
  }
  std::size_t take(Text bytes, ErrorCode& error) {
    const size_t count = std::min(bytes.size(), room.size());
    std::memcpy(room.data(), bytes.data(), count);
    room = room.subspan(count);
    error = {};
    if (count < bytes.size()) error = boost::beast::http::error::need_buffer;
    return count;
  }
  std::size_t on_body_impl(Text bytes, ErrorCode& error) override { return take(bytes, error); }
  std::size_t on_chunk_body_impl(std::uint64_t, Text bytes, ErrorCode& error) override {
    return take(bytes, error);
  }
  void on_chunk_header_impl(std::uint64_t, Text, ErrorCode& error) override { error = {}; }
  void on_finish_impl(ErrorCode& error) override { error = {}; }
};

}  // namespace holdfast::http
