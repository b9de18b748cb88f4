#include "blob/pairs.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <optional>

namespace holdfast::blob {
namespace {

namespace json = boost::json;

bool plain(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == '"' || c == '\\'; });
}

}  // namespace

// Each write makes four of them: most are empty, and nearly all are plain.
std::string pairs_to_json(const Pairs& pairs) {
  if (pairs.empty()) return "{}";
  if (pairs.size() == 1 && plain(pairs[0].first) && plain(pairs[0].second))
    return "{\"" + pairs[0].first + "\":\"" + pairs[0].second + "\"}";
  json::object object;
  for (const auto& [name, value] : pairs) object[name] = value;
  return json::serialize(object);
}

namespace {

// A JSON text without escapes; nullopt where `text` does not begin with one.
std::optional<std::string_view> take_plain(std::string_view& text) {
  if (!text.starts_with('"')) return std::nullopt;
  const size_t end = text.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view plain = text.substr(1, end - 1);
  if (plain.find('\\') != std::string_view::npos) return std::nullopt;
  text.remove_prefix(end + 1);
  return plain;
}

// What pairs_to_json() writes where nothing needs an escape; false: it is something else.
bool take_plain_pairs(std::string_view text, Pairs& pairs) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return false;
  text = text.substr(1, text.size() - 2);
  size_t count = 0;
  while (!text.empty()) {
    if (count > 0) {
      if (text.front() != ',') return false;
      text.remove_prefix(1);
    }
    const auto name = take_plain(text);
    if (!name || !text.starts_with(':')) return false;
    text.remove_prefix(1);
    const auto value = take_plain(text);
    if (!value) return false;
    if (pairs.empty()) pairs.reserve(4);
    if (count == pairs.size()) pairs.emplace_back();
    pairs[count].first = *name;
    pairs[count].second = *value;
    ++count;
  }
  pairs.resize(count);
  return true;
}

}  // namespace

// A listing reads 10,000 of them: nearly all are plain, and half of them empty.
void read_pairs(std::string_view text, Pairs& pairs) {
  if (take_plain_pairs(text, pairs)) return;
  pairs.clear();
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return;
  for (const auto& [name, item] : value.as_object())
    pairs.emplace_back(std::string(name), item.is_string() ? std::string(item.as_string()) : "");
}

Pairs pairs_from_json(std::string_view text) {
  Pairs pairs;
  read_pairs(text, pairs);
  return pairs;
}

}  // namespace holdfast::blob
