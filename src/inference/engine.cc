#include "inference/engine.h"

#include <array>
#include <utility>

namespace holdfast::inference {
namespace {

struct TypeInfo {
  std::string_view name;
  size_t size;
};
constexpr std::array<TypeInfo, 13> kTypes = {{{"BOOL", 1},
                                              {"UINT8", 1},
                                              {"UINT16", 2},
                                              {"UINT32", 4},
                                              {"UINT64", 8},
                                              {"INT8", 1},
                                              {"INT16", 2},
                                              {"INT32", 4},
                                              {"INT64", 8},
                                              {"FP16", 2},
                                              {"FP32", 4},
                                              {"FP64", 8},
                                              {"BYTES", 0}}};

}  // namespace

std::string_view to_string(Datatype type) {
  return kTypes[static_cast<size_t>(type)].name;
}
size_t size_of(Datatype type) {
  return kTypes[static_cast<size_t>(type)].size;
}

Result<Datatype> parse_datatype(std::string_view text) {
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (kTypes[i].name == text) return static_cast<Datatype>(i);
  }
  return fail(Code::invalid_argument, "unknown datatype '" + std::string(text) + "'");
}

Result<uint64_t> element_count(const std::vector<int64_t>& shape) {
  uint64_t count = 1;
  for (int64_t size : shape) {
    if (size < 0) return fail(Code::invalid_argument, "a shape has a negative size");
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(size), &count) || count > (1ull << 40))
      return fail(Code::too_large, "a shape has too many elements");
  }
  return count;
}

Result<Prepared> Engine::prepare(const std::string& path, const std::string&) {
  TRY(auto model, load(path));
  return Prepared{.model = std::move(model)};
}

}  // namespace holdfast::inference
