#include "store/objects/content_file.h"

#include <fcntl.h>
#include <sys/sendfile.h>

#include <cerrno>

#include "base/files.h"

namespace holdfast::store {

Result<void> write_content(const OpenContent& content, const std::filesystem::path& path) {
  TRY_VOID(make_directories(path.parent_path()));
  TRY(const Fd out, holdfast::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  for (const http::FileRange& range : content.ranges(0, content.size())) {
    auto at = static_cast<off_t>(range.offset);
    const off_t end = at + static_cast<off_t>(range.size);
    while (at < end) {
      auto good = static_cast<uint64_t>(end - at);
      if (range.check) {
        TRY(good, range.check->passed(static_cast<uint64_t>(at), good));
      }
      const ssize_t sent = ::sendfile(out.get(), range.fd->get(), &at, good);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return std::unexpected(errno_error(errno, "write " + path.string()));
      if (sent == 0) return fail(Code::internal, "a stored content is shorter than its record");
    }
  }
  return {};
}

}  // namespace holdfast::store
