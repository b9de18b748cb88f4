// Writing the XML of the Blob protocol. Any thread, each text by one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::blob {

// The name of an element with its marks, made by the compiler.
template <size_t size>
struct Tag {
  // NOLINTNEXTLINE(google-explicit-constructor): it is written as the name
  consteval Tag(const char (&name)[size]) {
    for (size_t i = 0; i + 1 < size; ++i) begin_[i + 1] = end_[i + 2] = name[i];
    begin_[0] = end_[0] = '<';
    end_[1] = '/';
    begin_[size] = end_[size + 1] = '>';
  }
  constexpr std::string_view begin() const { return {begin_, sizeof begin_}; }
  constexpr std::string_view end() const { return {end_, sizeof end_}; }

  char begin_[size + 1] = {}, end_[size + 2] = {};
};

// A document as it grows. What comes in small pieces is gathered in a buffer of its own, where a
// piece costs no more than to copy it: a listing has 300,000 of them.
class XmlText {
 public:
  // As it is: marks, and what can need no escape.
  XmlText& raw(std::string_view text) {
    if (text.size() > buffer_.size() - used_) return spill(text);
    used_ += text.copy(buffer_.data() + used_, text.size());
    return *this;
  }
  XmlText& number(int64_t value);
  // Escaped.
  XmlText& text(std::string_view text);

  template <Tag tag>
  XmlText& element(std::string_view value) {
    raw(tag.begin());
    if (!value.empty()) text(value);
    return raw(tag.end());
  }
  template <Tag tag>
  XmlText& raw_element(std::string_view value) {
    return raw(tag.begin()).raw(value).raw(tag.end());
  }
  template <Tag tag>
  XmlText& number_element(int64_t value) {
    return raw(tag.begin()).number(value).raw(tag.end());
  }
  XmlText& element(std::string_view tag, std::string_view value);
  // A blob's Name. What XML can not carry is sent percent-encoded, as Azure does since version
  // 2021-02-12.
  XmlText& name(std::string_view name, std::string_view tag = "Name");

  void reserve(size_t size) { done_.reserve(size); }
  // All of it; the document is empty then.
  std::string take();

 private:
  XmlText& spill(std::string_view text);

  std::string done_;
  std::array<char, 4096> buffer_;  // what follows it
  size_t used_ = 0;
};

std::string xml_escape(std::string_view text);
// <name>value</name>, the value escaped.
std::string element(std::string_view name, std::string_view value);
std::string name_element(std::string_view name, std::string_view tag = "Name");

}  // namespace holdfast::blob
