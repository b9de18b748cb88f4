#include "inference/local/regions.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>

namespace holdfast::inference {
namespace {

std::unexpected<Error> bad(const std::string& name, const std::string& what) {
  return fail(Code::invalid_argument, "region '" + name + "' " + what);
}

}  // namespace

Regions::~Regions() {
  for (const auto& [name, region] : regions_) ::munmap(region.at, region.size);
}

Result<void> Regions::add(const std::string& name, const Fd& fd, uint64_t size) {
  if (name.empty() || name.size() > 128) return bad(name, "needs a name of 1 to 128 characters");
  if (regions_.contains(name))
    return fail(Code::conflict, "there is a region '" + name + "' already");
  if (regions_.size() >= kMaxRegions || size > kMaxRegionBytes - bytes_)
    return fail(Code::too_large, "a client may have " + std::to_string(kMaxRegions) +
                                     " regions, of " + format_size(kMaxRegionBytes) + " together");
  // The seals first: what has them cannot change its size between the check and the use.
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0) return bad(name, "is no memfd");
  if ((seals & F_SEAL_SHRINK) == 0 || (seals & F_SEAL_GROW) == 0)
    return bad(name, "is not sealed: F_SEAL_SHRINK and F_SEAL_GROW are needed");
  struct stat status{};
  struct statfs system{};
  if (::fstat(fd.get(), &status) != 0 || ::fstatfs(fd.get(), &system) != 0)
    return std::unexpected(errno_error(errno, "region"));
  if (!S_ISREG(status.st_mode) || system.f_type != TMPFS_MAGIC)
    return bad(name, "is not of ordinary pages");
  if (size == 0 || static_cast<uint64_t>(status.st_size) != size)
    return bad(name,
               "has " + std::to_string(status.st_size) + " bytes, not " + std::to_string(size));
  Region region{.at = nullptr, .size = size, .constant = (seals & F_SEAL_WRITE) != 0};
  // Kernels before 6.7 map what is sealed against writing only as private, which is the same here.
  void* at = region.constant
                 ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0)
                 : ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  // A descriptor that was opened for reading alone is one too.
  if (at == MAP_FAILED && errno == EACCES) return bad(name, "is not open for reading and writing");
  if (at == MAP_FAILED) return std::unexpected(errno_error(errno, "region"));
  region.at = static_cast<std::byte*>(at);
  bytes_ += size;
  regions_.emplace(name, region);
  return {};
}

Result<void> Regions::remove(const std::string& name) {
  const auto found = regions_.find(name);
  if (found == regions_.end()) return fail(Code::not_found, "there is no region '" + name + "'");
  ::munmap(found->second.at, found->second.size);
  bytes_ -= found->second.size;
  regions_.erase(found);
  return {};
}

Result<Regions::Region> Regions::find(std::string_view name, uint64_t offset, uint64_t size) const {
  const auto found = regions_.find(name);
  if (found == regions_.end())
    return fail(Code::not_found, "there is no region '" + std::string(name) + "'");
  if (offset > found->second.size || size > found->second.size - offset)
    return bad(std::string(name), "has " + std::to_string(found->second.size) + " bytes; " +
                                      std::to_string(size) + " at " + std::to_string(offset) +
                                      " are not in it");
  return found->second;
}

Result<Regions::Stretch> Regions::read(std::string_view name, uint64_t offset,
                                       uint64_t size) const {
  TRY(const Region region, find(name, offset, size));
  return Stretch{ByteView(region.at + offset, size), region.constant};
}

Result<std::byte*> Regions::write(std::string_view name, uint64_t offset, uint64_t size) {
  TRY(const Region region, find(name, offset, size));
  if (region.constant)
    return fail(Code::denied, "region '" + std::string(name) + "' is sealed against writing");
  return region.at + offset;
}

}  // namespace holdfast::inference
