#include "net/http/headers.h"

#include "base/bytes.h"

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

}  // namespace holdfast::http
