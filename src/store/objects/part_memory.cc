#include "store/objects/part_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

namespace holdfast::store {
namespace {

constexpr size_t kRegion = 2 << 20;
constexpr unsigned kAll = (1u << (kRegion / kPart)) - 1;

struct Region {
  std::byte* begin;
  unsigned taken;  // a bit for each part

  bool holds(const void* part) const {
    const auto at = reinterpret_cast<uintptr_t>(part), first = reinterpret_cast<uintptr_t>(begin);
    return at >= first && at < first + kRegion;
  }
};

std::mutex mutex;
std::vector<Region> regions;

// At a multiple of its size, without which it can not be one page.
std::byte* map_region() {
  void* const map = ::mmap(nullptr, 2 * kRegion, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) throw std::bad_alloc();
  auto* const all = static_cast<std::byte*>(map);
  const size_t before = (kRegion - reinterpret_cast<uintptr_t>(map) % kRegion) % kRegion;
  if (before > 0) ::munmap(all, before);
  std::byte* const begin = all + before;
  ::munmap(begin + kRegion, kRegion - before);
  (void)::madvise(begin, kRegion, MADV_HUGEPAGE);
  // A program that is started while the disk reads from it would make it small pages again.
  (void)::madvise(begin, kRegion, MADV_DONTFORK);
  return begin;
}

}  // namespace

std::byte* take_part() {
  const std::lock_guard lock(mutex);
  auto at = std::ranges::find_if(regions, [](const Region& r) { return r.taken != kAll; });
  if (at == regions.end()) at = regions.insert(at, Region{map_region(), 0});
  unsigned number = 0;
  while ((at->taken & (1u << number)) != 0) ++number;
  at->taken |= 1u << number;
  return at->begin + number * kPart;
}

void give_part(void* part) {
  const std::lock_guard lock(mutex);
  const auto at = std::ranges::find_if(regions, [&](const Region& r) { return r.holds(part); });
  const auto number = static_cast<size_t>(static_cast<std::byte*>(part) - at->begin) / kPart;
  at->taken &= ~(1u << number);
  if (at->taken != 0 || regions.size() == 1) return;
  ::munmap(at->begin, kRegion);
  regions.erase(at);
}

size_t part_memory() {
  const std::lock_guard lock(mutex);
  return regions.size() * kRegion;
}

}  // namespace holdfast::store
