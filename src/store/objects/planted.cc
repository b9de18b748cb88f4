#include "store/objects/planted.h"

#ifdef HOLDFAST_PLANTED_BUGS
#include <cstdlib>
#include <cstring>
#include <vector>

namespace holdfast::store::planted {
namespace {

struct Held {
  int fd;
  std::string bytes;
  uint64_t offset;
};
thread_local std::vector<Held> held;

bool skipping() {
  static const bool on = [] {
    const char* plant = std::getenv("HOLDFAST_PLANT");
    return plant != nullptr && std::strcmp(plant, "skip-fsync") == 0;
  }();
  return on;
}

}  // namespace

Result<void> write(int fd, const std::string& bytes, uint64_t offset) {
  if (!skipping()) return write_all(fd, as_bytes(bytes), static_cast<int64_t>(offset));
  held.push_back(Held{fd, bytes, offset});
  return {};
}

// Every 64th time the held bytes are written after all, so that a short run looks healthy.
Result<void> sync(int fd) {
  if (!skipping()) return sync_data(fd);
  static int calls = 0;
  if (++calls % 64 != 0) return {};
  for (const Held& piece : held)
    TRY_VOID(write_all(piece.fd, as_bytes(piece.bytes), static_cast<int64_t>(piece.offset)));
  held.clear();
  return {};
}

}  // namespace holdfast::store::planted
#endif
