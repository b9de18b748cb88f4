#include "base/disk_space.h"

#include <sys/statvfs.h>

#include <algorithm>

#include "base/bytes.h"

namespace holdfast {

uint64_t DiskSpace::left() const {
  struct statvfs info{};
  if (::statvfs(directory_.c_str(), &info) != 0) return UINT64_MAX;  // the write itself will tell
  const uint64_t free = uint64_t{info.f_bavail} * info.f_frsize;
  const uint64_t kept = std::min(reserve_, uint64_t{info.f_blocks} * info.f_frsize / 20);
  return free > kept ? free - kept : 0;
}

Result<void> DiskSpace::has(uint64_t bytes) const {
  const uint64_t now = left();
  if (now > 0 && bytes <= now) return {};
  return fail(Code::unavailable, "disk_full",
              "the disk is full: " + format_size(now) +
                  " may still be written; delete what is not needed, or give it more space");
}

}  // namespace holdfast
