#include "net/file_source.h"

#include <unistd.h>

#include <cerrno>

namespace holdfast {

Task<Result<size_t>> FileSource::read(std::span<std::byte> into) {
  auto work = [this, into]() -> Result<size_t> {
    for (;;) {
      const ssize_t got = ::read(fd_.get(), into.data(), into.size());
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return std::unexpected(errno_error(errno, "read"));
    }
  };
  co_return co_await pool_.run(std::move(work));
}

}  // namespace holdfast
