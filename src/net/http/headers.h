// The headers of a message. Names compare without case.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::http {

// All names and values lie in one text. What is told of them stays until something is added.
class Headers {
  struct Item {
    uint32_t at, name_size, value_size;  // in the text: the name, then the value
  };

 public:
  using Pair = std::pair<std::string_view, std::string_view>;
  class Iterator {
   public:
    Iterator(const Headers& headers, const Item* item) : headers_(headers), item_(item) {}
    Pair operator*() const { return headers_.pair(*item_); }
    Iterator& operator++() {
      ++item_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return item_ != other.item_; }

   private:
    const Headers& headers_;
    const Item* item_;
  };

  void set(std::string_view name, std::string_view value);  // replaces
  void add(std::string_view name, std::string_view value);  // keeps others of the name
  // The first value; nullopt where there is none.
  std::optional<std::string_view> get(std::string_view name) const;
  std::string_view get_or(std::string_view name, std::string_view otherwise) const;
  void erase(std::string_view name);
  bool empty() const { return items_.empty(); }
  size_t text_size() const { return text_.size(); }  // of all names and values
  // In the order of their coming.
  Iterator begin() const { return {*this, items_.data()}; }
  Iterator end() const { return {*this, items_.data() + items_.size()}; }

 private:
  Pair pair(const Item& item) const {
    const std::string_view text = text_;
    return {text.substr(item.at, item.name_size),
            text.substr(item.at + item.name_size, item.value_size)};
  }
  std::string text_;
  std::vector<Item> items_;
};

}  // namespace holdfast::http
