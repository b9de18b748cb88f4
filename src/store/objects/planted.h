// The bugs that the fault harness must find, in builds made for that alone (`make faults
// BREAK=fsync|rename|crc`: the CMake option HOLDFAST_BREAK; HOLDFAST_PLANTED_BUGS compiles all of
// them, and HOLDFAST_PLANT=skip-… in the environment chooses).
//
// fsync: small contents are acknowledged while they are still in this process.
// rename: a large content is acknowledged before it has its name.
// crc: stored bytes are served unchecked.
#pragma once

#include "base/files.h"
#include "store/group_sync.h"

namespace holdfast::store::planted {

#ifdef HOLDFAST_PLANTED_BUGS
Result<void> write(int fd, const std::string& bytes, uint64_t offset);
Result<void> sync(int fd);
// After a large content was written to `path`.
Result<void> publish(const std::string& path);
// Where its bytes are now.
std::string place_of(const std::string& path);
bool unchecked();
#else
inline Result<void> write(int fd, const std::string& bytes, uint64_t offset) {
  return write_all(fd, as_bytes(bytes), static_cast<int64_t>(offset));
}
inline Result<void> sync(int fd) {
  return sync_data(fd);
}
inline Result<void> publish(const std::string&) {
  return {};
}
inline const std::string& place_of(const std::string& path) {
  return path;
}
constexpr bool unchecked() {
  return false;
}
#endif

}  // namespace holdfast::store::planted
