// The bug that the fault harness must find, in builds made for that alone (HOLDFAST_PLANTED_BUGS):
// with HOLDFAST_PLANT=skip-fsync in the environment, bytes are acknowledged while they are still in
// this process.
#pragma once

#include "base/files.h"
#include "store/group_sync.h"

namespace holdfast::store::planted {

#ifdef HOLDFAST_PLANTED_BUGS
Result<void> write(int fd, const std::string& bytes, uint64_t offset);
Result<void> sync(int fd);
#else
inline Result<void> write(int fd, const std::string& bytes, uint64_t offset) {
  return write_all(fd, as_bytes(bytes), static_cast<int64_t>(offset));
}
inline Result<void> sync(int fd) {
  return sync_data(fd);
}
#endif

}  // namespace holdfast::store::planted
