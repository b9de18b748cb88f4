// Plain text codings of bytes and URLs, and small number readers. Pure functions, any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

// What resize() adds holds anything: for those who write all of it next.
struct LeaveAsIs : std::allocator<std::byte> {
  template <class>
  struct rebind {
    using other = LeaveAsIs;
  };
  void construct(std::byte*) {}
  void construct(std::byte* at, std::byte value) { *at = value; }
};
using RawBytes = std::vector<std::byte, LeaveAsIs>;

inline ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string hex(ByteView bytes);  // lower case
// invalid_argument on an odd length or a sign that is not hexadecimal.
Result<std::string> from_hex(std::string_view text);

std::string base64(ByteView bytes);      // RFC 4648 section 4, padded
std::string base64_url(ByteView bytes);  // section 5, unpadded (JWT)
// Strict, padded standard alphabet; invalid_argument otherwise.
Result<std::string> from_base64(std::string_view text);
Result<std::string> from_base64_url(std::string_view text);

// %XX for all but RFC 3986 unreserved signs; `keep` lists further signs to leave.
std::string percent_encode(std::string_view text, std::string_view keep = "");
// invalid_argument on a broken escape. `plus_is_space` is for queries and forms.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

// The whole text as a decimal number; nullopt on anything else or on overflow.
std::optional<uint64_t> parse_u64(std::string_view text);

std::string lower(std::string_view ascii);
bool equal_ignore_case(std::string_view a, std::string_view b);
std::string_view trim(std::string_view text);  // spaces and tabs at both ends
std::vector<std::string_view> split(std::string_view text, char separator);

// Sizes and durations as configuration writes them: "64MiB", "1000000", "500ms", "10s", "2h".
Result<uint64_t> parse_size(std::string_view text);
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string format_size(uint64_t bytes);  // "1.5 MiB"

}  // namespace holdfast
