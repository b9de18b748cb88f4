#include "blob/http/xml_text.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/bytes.h"

namespace holdfast::blob {
namespace {

// What XML does not take as it is.
bool special(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == '&' || c == '<' || c == '>' ||
         c == '"';
}

// What may need more than to be copied; 0xEF begins what XML has no form for.
template <class Byte>
auto suspect(Byte byte) {
  return (byte < 0x20) | (byte == '&') | (byte == '<') | (byte == '>') | (byte == '"') |
         (byte == 0xEF);
}

// Sixteen bytes are looked at together, of which the last may be looked at twice.
bool plain(std::string_view text) {
  using Bytes [[gnu::vector_size(16)]] = uint8_t;
  if (text.size() < sizeof(Bytes))
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return suspect(static_cast<uint8_t>(c)); });
  for (size_t at = 0;; at = std::min(at + sizeof(Bytes), text.size() - sizeof(Bytes))) {
    Bytes bytes;
    std::memcpy(&bytes, text.data() + at, sizeof bytes);
    const auto found = std::bit_cast<std::array<uint64_t, 2>>(suspect(bytes));
    if ((found[0] | found[1]) != 0) return false;
    if (at + sizeof(Bytes) == text.size()) return true;
  }
}

std::string_view escape_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    default:
      return "\xEF\xBF\xBD";  // XML 1.0 has no form for most control characters
  }
}

// Whether there is what XML has no form for.
bool needs_encoding(std::string_view name) {
  return std::any_of(name.begin(), name.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x20; }) ||
         name.find("\xEF\xBF\xBE") != std::string_view::npos ||
         name.find("\xEF\xBF\xBF") != std::string_view::npos;
}

}  // namespace

XmlText& XmlText::number(int64_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
  return raw({digits.data(), static_cast<size_t>(end - digits.data())});
}

XmlText& XmlText::text(std::string_view text) {
  if (plain(text)) return raw(text);
  size_t done = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!special(text[i])) continue;
    raw(text.substr(done, i - done)).raw(escape_of(text[i]));
    done = i + 1;
  }
  return raw(text.substr(done));
}

XmlText& XmlText::element(std::string_view tag, std::string_view value) {
  return raw("<").raw(tag).raw(">").text(value).raw("</").raw(tag).raw(">");
}

XmlText& XmlText::name(std::string_view name, std::string_view tag) {
  if (plain(name) || !needs_encoding(name)) return element(tag, name);
  return raw("<")
      .raw(tag)
      .raw(" Encoded=\"true\">")
      .raw(percent_encode(name, "/"))
      .raw("</")
      .raw(tag)
      .raw(">");
}

XmlText& XmlText::spill(std::string_view text) {
  done_.append(buffer_.data(), used_).append(text);
  used_ = 0;
  return *this;
}

std::string XmlText::take() {
  spill({});
  // Room that was reserved for much more is not held while the answer waits for its reader.
  if (done_.size() < done_.capacity() / 4) done_.shrink_to_fit();
  return std::exchange(done_, {});
}

std::string xml_escape(std::string_view text) {
  XmlText out;
  out.text(text);
  return out.take();
}

std::string element(std::string_view name, std::string_view value) {
  XmlText out;
  out.element(name, value);
  return out.take();
}

std::string name_element(std::string_view name, std::string_view tag) {
  XmlText out;
  out.name(name, tag);
  return out.take();
}

}  // namespace holdfast::blob
