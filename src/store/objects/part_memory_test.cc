#include "store/objects/part_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace holdfast::store {
namespace {

constexpr uintptr_t kRegion = 2 << 20;

uintptr_t address(const std::byte* part) {
  return reinterpret_cast<uintptr_t>(part);
}

// What the kernel says of the mapping that begins at or before `part`.
std::string flags_of(const std::byte* part) {
  std::ifstream maps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t first = 0, last = 0;
    char dash = 0;
    std::istringstream words(line);
    if (words >> std::hex >> first >> dash >> last && dash == '-')
      here = address(part) >= first && address(part) < last;
    if (here && line.starts_with("VmFlags:")) return line + ' ';
  }
  return "";
}

TEST(PartMemory, PartsLieApartAndGoBack) {
  std::vector<std::byte*> parts;
  std::set<uintptr_t> regions;
  for (unsigned i = 0; i < 9; ++i) {
    parts.push_back(take_part());
    std::memset(parts.back(), static_cast<int>(i), kPart);
    EXPECT_EQ(address(parts.back()) % 4096, 0u);
    regions.insert(address(parts.back()) / kRegion);
    EXPECT_EQ((address(parts.back()) + kPart - 1) / kRegion, address(parts.back()) / kRegion);
  }
  EXPECT_EQ(regions.size(), 3u);
  EXPECT_EQ(part_memory(), 3 * kRegion);
  for (unsigned i = 0; i < 9; ++i) {
    EXPECT_EQ(parts[i][0], std::byte(i));
    EXPECT_EQ(parts[i][kPart - 1], std::byte(i));
  }
  // One that goes makes room for the next.
  give_part(parts[3]);
  EXPECT_EQ(take_part(), parts[3]);
  for (std::byte* part : parts) give_part(part);
  EXPECT_EQ(part_memory(), kRegion);
}

TEST(PartMemory, IsOnePageWhereTheSystemHasSuch) {
  std::byte* const part = take_part();
  const std::string flags = flags_of(part);
  give_part(part);
  ASSERT_FALSE(flags.empty());
  EXPECT_NE(flags.find(" dc "), std::string::npos) << flags;
  if (std::filesystem::exists("/sys/kernel/mm/transparent_hugepage"))
    EXPECT_NE(flags.find(" hg "), std::string::npos) << flags;
}

}  // namespace
}  // namespace holdfast::store
