#include "inference/http/json_values.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace holdfast::inference {

namespace dom = simdjson::dom;

namespace {

template <class T>
bool store_leaf(const dom::element& element, std::byte*& at) {
  T value{};
  if constexpr (std::is_same_v<T, bool>) {
    bool flag = false;
    double number = 0;
    if (element.get(flag) == simdjson::SUCCESS)
      value = flag;
    else if (element.get(number) == simdjson::SUCCESS)
      value = number != 0;
    else
      return false;
  } else if constexpr (std::is_floating_point_v<T>) {
    double number = 0;
    if (element.get(number) != simdjson::SUCCESS ||
        std::abs(number) > static_cast<double>(std::numeric_limits<T>::max()))
      return false;
    value = static_cast<T>(number);
  } else if constexpr (std::is_unsigned_v<T>) {
    uint64_t number = 0;
    if (element.get(number) != simdjson::SUCCESS || number > std::numeric_limits<T>::max())
      return false;
    value = static_cast<T>(number);
  } else {
    int64_t number = 0;
    if (element.get(number) != simdjson::SUCCESS || number < std::numeric_limits<T>::min() ||
        number > std::numeric_limits<T>::max())
      return false;
    value = static_cast<T>(number);
  }
  std::memcpy(at, &value, sizeof value);
  at += sizeof value;
  return true;
}

template <class T>
bool store_leaves(const dom::element& element, std::byte*& at) {
  dom::array array;
  if (element.get(array) != simdjson::SUCCESS) return store_leaf<T>(element, at);
  for (const dom::element item : array) {
    if (!store_leaves<T>(item, at)) return false;
  }
  return true;
}

constexpr size_t kMaxLevels = 16;
constexpr int64_t kOpen = -1;  // the length of a level whose first array is being read

Result<void> measure_level(const dom::element& element, size_t level, Nesting& nesting) {
  dom::array array;
  if (element.get(array) != simdjson::SUCCESS) {
    if (level != nesting.lengths.size())
      return fail(Code::invalid_argument, "its data mixes elements and lists");
    ++nesting.leaves;
    return {};
  }
  if (level == kMaxLevels)
    return fail(Code::invalid_argument,
                "its data is nested deeper than " + std::to_string(kMaxLevels) + " levels");
  // Leaves were seen where this array is: the level would be one too many.
  if (level == nesting.lengths.size() && nesting.leaves > 0)
    return fail(Code::invalid_argument, "its data mixes elements and lists");
  if (level == nesting.lengths.size()) nesting.lengths.push_back(kOpen);
  int64_t length = 0;
  for (const dom::element item : array) {
    TRY_VOID(measure_level(item, level + 1, nesting));
    ++length;
  }
  int64_t& known = nesting.lengths[level];
  if (known != kOpen && known != length)
    return fail(Code::invalid_argument, "its data has rows of different lengths, " +
                                            std::to_string(known) + " and " +
                                            std::to_string(length));
  known = length;
  return {};
}

constexpr size_t kKeptText = 1 << 20;  // bytes of JSON whose parser's memory a thread may keep

}  // namespace

Result<dom::element> JsonDocument::parse(std::string_view text) {
  thread_local dom::parser kept;
  dom::parser& parser = text.size() <= kKeptText ? kept : once_;
  dom::element root;
  if (const auto error = parser.parse(text.data(), text.size()).get(root);
      error != simdjson::SUCCESS)
    return fail(Code::invalid_argument,
                std::string("the body is not JSON: ") + simdjson::error_message(error));
  return root;
}

Result<Nesting> measure(const dom::element& element) {
  Nesting nesting;
  TRY_VOID(measure_level(element, 0, nesting));
  return nesting;
}

bool store_all(Datatype type, const dom::element& data, std::byte* at) {
  switch (type) {
    case Datatype::boolean:
      return store_leaves<bool>(data, at);
    case Datatype::uint8:
      return store_leaves<uint8_t>(data, at);
    case Datatype::uint16:
      return store_leaves<uint16_t>(data, at);
    case Datatype::uint32:
      return store_leaves<uint32_t>(data, at);
    case Datatype::uint64:
      return store_leaves<uint64_t>(data, at);
    case Datatype::int8:
      return store_leaves<int8_t>(data, at);
    case Datatype::int16:
      return store_leaves<int16_t>(data, at);
    case Datatype::int32:
      return store_leaves<int32_t>(data, at);
    case Datatype::int64:
      return store_leaves<int64_t>(data, at);
    case Datatype::fp32:
      return store_leaves<float>(data, at);
    case Datatype::fp64:
      return store_leaves<double>(data, at);
    case Datatype::fp16:
    case Datatype::bytes:
      return false;
  }
  return false;
}

bool collect_texts(const dom::element& element, std::vector<std::string>& texts) {
  dom::array array;
  if (element.get(array) == simdjson::SUCCESS) {
    for (const dom::element item : array) {
      if (!collect_texts(item, texts)) return false;
    }
    return true;
  }
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS) return false;
  texts.emplace_back(text);
  return true;
}

}  // namespace holdfast::inference
