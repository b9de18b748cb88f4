#include "inference/curve.h"

#include <algorithm>
#include <bit>

namespace holdfast::inference {
namespace {

constexpr uint32_t kLookAgain = 64;  // decisions
constexpr int64_t kMostOff = 2;      // times what was known

}  // namespace

size_t Curve::size_of(uint64_t rows) {
  return std::min<size_t>(kSizes - 1,
                          static_cast<size_t>(std::bit_width(std::max<uint64_t>(rows, 1))) - 1);
}

void Curve::learn(uint64_t rows, int64_t ns) {
  if (rows == 0 || ns <= 0) return;
  std::atomic<int64_t>& known = row_ns_[size_of(rows)];
  // A hundredth of a nanosecond is not lost to whole numbers where rows are many and cheap.
  const auto now = std::max<int64_t>(1, ns * 100 / static_cast<int64_t>(rows));
  const int64_t before = known.load(std::memory_order_relaxed);
  // A run during which the machine did something else says little, and must not say it for long.
  const int64_t step = std::min(now, kMostOff * before) - before;
  known.store(before == 0 ? now : std::max<int64_t>(1, before + step / 8),
              std::memory_order_relaxed);
}

std::optional<int64_t> Curve::estimate(uint64_t rows) const {
  for (size_t size = size_of(rows) + 1; size-- > 0;) {
    if (const int64_t row = row_at(size); row > 0) return row * static_cast<int64_t>(rows) / 100;
  }
  return std::nullopt;
}

uint64_t Curve::worthwhile(uint64_t rows) {
  size_t size = size_of(rows);
  if (row_at(size) == 0) return rows;  // alone first, to have something to compare with
  while (size + 1 < kSizes && row_at(size + 1) > 0 && row_at(size + 1) * 10 <= row_at(size) * 9)
    ++size;
  const bool untried = size + 1 < kSizes && row_at(size + 1) == 0;
  const bool again = asked_.fetch_add(1, std::memory_order_relaxed) % kLookAgain == kLookAgain - 1;
  if (untried || again) size = std::min(size + 1, kSizes - 1);
  return std::max(rows, (uint64_t{2} << size) - 1);
}

}  // namespace holdfast::inference
