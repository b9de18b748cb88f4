#include "net/http/message.h"

#include <algorithm>

namespace holdfast::http {

void Headers::set(std::string_view name, std::string_view value) {
  erase(name);
  add(name, value);
}

void Headers::add(std::string_view name, std::string_view value) {
  if (items_.capacity() == 0) {
    items_.reserve(16);
    text_.reserve(512);
  }
  items_.push_back({static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(name.size()),
                    static_cast<uint32_t>(value.size())});
  const size_t needed = text_.size() + name.size() + value.size();
  if (needed <= text_.capacity()) {
    text_.append(name).append(value);
    return;
  }
  std::string grown;  // what is added may be a part of the text that is there
  grown.reserve(2 * needed);
  grown.append(text_).append(name).append(value);
  text_ = std::move(grown);
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const Item& item : items_) {
    if (item.name_size != name.size()) continue;
    const auto [key, value] = pair(item);
    if (equal_ignore_case(key, name)) return value;
  }
  return std::nullopt;
}

std::string_view Headers::get_or(std::string_view name, std::string_view otherwise) const {
  return get(name).value_or(otherwise);
}

void Headers::erase(std::string_view name) {
  std::erase_if(items_, [&](const Item& item) {
    return item.name_size == name.size() && equal_ignore_case(pair(item).first, name);
  });
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string_view Request::param(std::string_view name) const {
  for (const auto& [key, value] : params) {
    if (key == name) return value;
  }
  return {};
}

Response::Response(unsigned code, std::string_view content_type, std::string text)
    : status(code), body(std::move(text)) {
  headers.set("Content-Type", content_type);
}

unsigned status_of(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return 400;
    case Code::unauthenticated:
      return 401;
    case Code::denied:
      return 403;
    case Code::not_found:
      return 404;
    case Code::conflict:
      return 409;
    case Code::precondition_failed:
      return 412;
    case Code::too_large:
      return 413;
    case Code::unavailable:
      return 503;
    case Code::timed_out:
      return 504;
    case Code::cancelled:
      return 503;
    case Code::unsupported:
      return 501;
    case Code::internal:
      return 500;
  }
  return 500;
}

}  // namespace holdfast::http
