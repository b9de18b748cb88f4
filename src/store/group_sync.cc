#include "store/group_sync.h"

#include <unistd.h>

#include <cerrno>

namespace holdfast::store {

Result<void> sync_data(int fd) {
  if (::fdatasync(fd) != 0) {
    return fail(Code::internal, std::string("fdatasync: ") + errno_error(errno, "disk").message());
  }
  return {};
}

}  // namespace holdfast::store
