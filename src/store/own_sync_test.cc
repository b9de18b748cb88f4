// The tests' own fdatasync(): see store/testing.h.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "store/testing.h"

namespace holdfast::store::own_sync {

std::atomic<bool> held{false}, failing{false};
std::atomic<int> calls{0}, failures{0};

}  // namespace holdfast::store::own_sync

extern "C" int fdatasync(int fd) {
  using namespace holdfast::store::own_sync;
  ++calls;
  held.wait(true);
  if (failing) {
    ++failures;
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
