// Memory that one client of the local socket has passed, under names of its own: memfds, sealed so
// that nothing that is read or written here can be taken away meanwhile.
#pragma once

#include <map>
#include <string>

#include "base/bytes.h"
#include "base/files.h"

namespace holdfast::inference {

inline constexpr size_t kMaxRegions = 64;             // of a client
inline constexpr uint64_t kMaxRegionBytes = 1 << 30;  // of all its regions

// By one thread at a time.
class Regions {
 public:
  Regions() = default;
  ~Regions();
  Regions(const Regions&) = delete;
  Regions& operator=(const Regions&) = delete;

  // Maps it. `fd` is closed then. conflict: the name is there; too_large; invalid_argument: no
  // memfd of `size` bytes with the seals F_SEAL_SHRINK and F_SEAL_GROW, or of huge pages, which can
  // run out under a reader.
  Result<void> add(const std::string& name, const Fd& fd, uint64_t size);
  Result<void> remove(const std::string& name);  // not_found

  struct Stretch {
    ByteView bytes;
    bool constant = false;  // sealed against writing: nobody can change it while it is used
  };
  // not_found; invalid_argument: it ends beyond the region.
  Result<Stretch> read(std::string_view name, uint64_t offset, uint64_t size) const;
  // The same, to write to. denied: it is sealed against that.
  Result<std::byte*> write(std::string_view name, uint64_t offset, uint64_t size);

 private:
  struct Region {
    std::byte* at = nullptr;
    uint64_t size = 0;
    bool constant = false;
  };
  Result<Region> find(std::string_view name, uint64_t offset, uint64_t size) const;

  std::map<std::string, Region, std::less<>> regions_;
  uint64_t bytes_ = 0;
};

}  // namespace holdfast::inference
