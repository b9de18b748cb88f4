// What a run costs by its number of rows, learned from the runs themselves, and what follows for
// merging requests. Any thread may call; a measurement lost between two threads does not matter.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

namespace holdfast::inference {

class Curve {
 public:
  void learn(uint64_t rows, int64_t ns);
  // ns; where nothing of that size was seen, from the next smaller size as if rows had no common
  // cost. nullopt: nothing known that is as small.
  std::optional<int64_t> estimate(uint64_t rows) const;
  // Up to how many rows it pays to put together, beginning with a request of `rows`: as long as
  // doubling makes a row cheaper by a tenth, and one doubling further where that was not tried
  // yet or, now and then, to see whether it has changed.
  uint64_t worthwhile(uint64_t rows);

 private:
  static constexpr size_t kSizes = 16;  // 1, 2–3, 4–7, …
  static size_t size_of(uint64_t rows);
  int64_t row_at(size_t size) const { return row_ns_[size].load(std::memory_order_relaxed); }

  std::array<std::atomic<int64_t>, kSizes> row_ns_{};  // a row's share; 0: unknown
  std::atomic<uint32_t> asked_{0};
};

}  // namespace holdfast::inference
