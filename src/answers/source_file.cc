#include "answers/source_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/files.h"

namespace holdfast::answers {

Result<std::string> read_source(const std::string& root, const shares::FileEvent& event) {
  if (!safe_relative_path(event.path))
    return fail(Code::denied, "unsafe_path", "the path leaves its share");
  TRY(Fd at, open_file(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::vector<std::string_view> parts = split(event.path, '/');
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (last ? O_NONBLOCK : O_DIRECTORY);
    Fd next(openat(at.get(), std::string(parts[i]).c_str(), flags));
    if (!next && errno == ELOOP) return fail(Code::denied, "not_a_file", event.path + " is a link");
    if (!next) return std::unexpected(errno_error(errno, event.path));
    at = std::move(next);
  }
  struct stat info{};
  if (fstat(at.get(), &info) != 0) return std::unexpected(errno_error(errno, event.path));
  if (!S_ISREG(info.st_mode))
    return fail(Code::denied, "not_a_file", event.path + " is not a plain file");
  const int64_t modified = info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec;
  if (static_cast<uint64_t>(info.st_size) != event.size ||
      modified != event.modified.time_since_epoch().count())
    return fail(Code::not_found, "superseded",
                event.path + " has changed since; the change has an event of its own");
  if (event.size > kMaxFile)
    return fail(
        Code::too_large, "file_too_large",
        "the file is " + format_size(event.size) + ", the limit is " + format_size(kMaxFile));
  std::string bytes(event.size, '\0');
  TRY_VOID(read_exact(at.get(), std::as_writable_bytes(std::span(bytes)), 0));
  return bytes;
}

Result<Prepared> prepare(const std::string& root, const shares::FileEvent& event,
                         const transform::Recipe& recipe) {
  TRY(const std::string bytes, read_source(root, event));
  TRY(transform::Transformed made, transform::apply_to(recipe, as_bytes(bytes)));
  Prepared prepared;
  prepared.tensor = std::move(made.tensor);
  prepared.width = made.width;
  prepared.height = made.height;
  prepared.sha256 = sha256_hex(as_bytes(bytes));
  return prepared;
}

bool file_at_fault(const Error& error) {
  return error.code() == Code::invalid_argument || error.code() == Code::too_large ||
         error.code() == Code::unsupported ||
         (error.code() == Code::denied && !error.reason().empty());
}

}  // namespace holdfast::answers
