// The body of the request that a connection has under way. For connection.cc alone.
#pragma once

#include <optional>

#include "net/byte_stream.h"
#include "net/http/connection.h"
#include "net/http/parser.h"

namespace holdfast::http {

Error body_too_large(uint64_t limit);

// Reads through the connection's buffer. Both must outlive it.
class BodySource final : public ByteSource {
 public:
  BodySource(Connection& connection, Parser<true>& parser, uint64_t limit, bool expect_continue);
  Task<Result<size_t>> read(std::span<std::byte> into) override;
  std::optional<uint64_t> left() const override { return left_; }
  bool finished() const { return left_ ? *left_ == 0 : parser_.is_done(); }
  bool untouched() const { return expect_continue_; }

 private:
  Task<Result<size_t>> read_announced(std::span<std::byte> into);
  Task<Result<size_t>> read_chunks(std::span<std::byte> into);
  Task<Result<size_t>> more(std::span<std::byte> room);

  Connection& connection_;
  Parser<true>& parser_;
  uint64_t limit_;
  bool expect_continue_;
  std::optional<uint64_t> left_;  // nullopt: chunked
  bool cut_ = false;
};

}  // namespace holdfast::http
