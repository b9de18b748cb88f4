#include "store/objects/planted.h"

#ifdef HOLDFAST_PLANTED_BUGS
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace holdfast::store::planted {
namespace {

struct Held {
  int fd;
  std::string bytes;
  uint64_t offset;
};
thread_local std::vector<Held> held;
std::mutex naming;
std::string nameless;

#ifndef HOLDFAST_BREAK
#define HOLDFAST_BREAK ""
#endif

bool planted(const std::string& bug) {
  static const std::string chosen = [] {
    const char* plant = std::getenv("HOLDFAST_PLANT");
    return plant != nullptr ? std::string(plant) : std::string("skip-") + HOLDFAST_BREAK;
  }();
  return chosen == "skip-" + bug;
}
bool skipping() {
  static const bool on = planted("fsync");
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

// The name is given when the next one is published; until then this process alone finds it.
Result<void> publish(const std::string& path) {
  if (!planted("rename")) return {};
  const std::lock_guard lock(naming);
  if (!nameless.empty()) (void)::rename((nameless + ".new").c_str(), nameless.c_str());
  nameless = path;
  if (::rename(path.c_str(), (path + ".new").c_str()) == 0) return {};
  return std::unexpected(errno_error(errno, "rename " + path));
}

std::string place_of(const std::string& path) {
  const std::lock_guard lock(naming);
  return path == nameless ? path + ".new" : path;
}

bool unchecked() {
  static const bool on = planted("crc");
  return on;
}

}  // namespace holdfast::store::planted
#endif
