#include "net/mqtt/packet.h"

namespace holdfast::mqtt {
namespace {

// The length of the UTF-8 sequence at the front; 0 where it is not one that 1.5.3 allows.
size_t sequence_at(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  if (first == 0xE0 && second < 0xA0) return 0;  // overlong
  if (first == 0xED && second > 0x9F) return 0;  // surrogates
  if (first == 0xF0 && second < 0x90) return 0;  // overlong
  if (first == 0xF4 && second > 0x8F) return 0;  // past U+10FFFF
  return length;
}

}  // namespace

bool valid_text(std::string_view text) {
  if (text.size() > 0xFFFF) return false;
  while (!text.empty()) {
    const size_t length = sequence_at(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool valid_topic(std::string_view topic) {
  return !topic.empty() && valid_text(topic) && topic.find_first_of("+#") == std::string_view::npos;
}

bool valid_filter(std::string_view filter) {
  if (filter.empty() || !valid_text(filter)) return false;
  for (size_t i = 0; i < filter.size(); ++i) {
    if (filter[i] != '+' && filter[i] != '#') continue;
    const bool starts = i == 0 || filter[i - 1] == '/';
    const bool ends = i + 1 == filter.size() || (filter[i] == '+' && filter[i + 1] == '/');
    if (!starts || !ends) return false;
  }
  return true;
}

bool matches(std::string_view filter, std::string_view topic) {
  if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
  for (;;) {
    const size_t filter_end = filter.find('/');
    const size_t topic_end = topic.find('/');
    const std::string_view wanted = filter.substr(0, filter_end);
    if (wanted == "#") return true;
    if (wanted != "+" && wanted != topic.substr(0, topic_end)) return false;
    const bool filter_done = filter_end == std::string_view::npos;
    const bool topic_done = topic_end == std::string_view::npos;
    if (topic_done) return filter_done || filter.substr(filter_end + 1) == "#";
    if (filter_done) return false;
    filter.remove_prefix(filter_end + 1);
    topic.remove_prefix(topic_end + 1);
  }
}

}  // namespace holdfast::mqtt
