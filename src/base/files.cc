#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/digest.h"

namespace holdfast {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Fd> open_file(const std::filesystem::path& path, int flags, int mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return std::unexpected(errno_error(errno, "open " + path.string()));
  return Fd(fd);
}

Result<std::string> read_file(const std::filesystem::path& path, uint64_t limit) {
  TRY(Fd fd, open_file(path, O_RDONLY));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0)
    return std::unexpected(errno_error(errno, "stat " + path.string()));
  if (S_ISDIR(info.st_mode)) return fail(Code::invalid_argument, path.string() + " is a directory");
  std::string out;
  // Grows with what is there, so that a pipe or a growing file is bounded too.
  char chunk[64 << 10];
  for (;;) {
    const ssize_t n = ::read(fd.get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno_error(errno, "read " + path.string()));
    if (n == 0) return out;
    if (out.size() + static_cast<size_t>(n) > limit) {
      return fail(Code::too_large, path.string() + " is larger than " + format_size(limit));
    }
    out.append(chunk, static_cast<size_t>(n));
  }
}

Result<void> write_all(int fd, ByteView bytes, int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = offset < 0 ? ::write(fd, bytes.data(), bytes.size())
                                 : ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno_error(errno, "write"));
    bytes = bytes.subspan(static_cast<size_t>(n));
    if (offset >= 0) offset += n;
  }
  return {};
}

Result<void> read_exact(int fd, std::span<std::byte> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno_error(errno, "read"));
    if (n == 0) return fail(Code::internal, "the file is shorter than its index says");
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

Result<void> sync_directory(const std::filesystem::path& directory) {
  TRY(Fd fd, open_file(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0)
    return std::unexpected(errno_error(errno, "fsync " + directory.string()));
  return {};
}

Result<void> replace_file(const std::filesystem::path& path, ByteView bytes, int mode) {
  const auto temporary = path.parent_path() / ("." + path.filename().string() + "." +
                                               hex(as_bytes(random_bytes(6))) + ".tmp");
  const auto write = [&]() -> Result<void> {
    TRY(Fd fd, open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, mode));
    TRY_VOID(write_all(fd.get(), bytes));
    if (::fsync(fd.get()) != 0)
      return std::unexpected(errno_error(errno, "fsync " + temporary.string()));
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      return std::unexpected(errno_error(errno, "rename to " + path.string()));
    }
    return {};
  };
  if (auto written = write(); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_directory(path.parent_path());
}

Result<void> make_directories(const std::filesystem::path& path, int mode) {
  if (path.empty()) return {};
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) == 0)
    return sync_directory(path.parent_path());
  if (errno == EEXIST) {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return fail(Code::conflict, path.string() + " exists and is not a directory");
  }
  if (errno != ENOENT || path == path.parent_path()) {
    return std::unexpected(errno_error(errno, "mkdir " + path.string()));
  }
  TRY_VOID(make_directories(path.parent_path(), mode));
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) != 0 && errno != EEXIST) {
    return std::unexpected(errno_error(errno, "mkdir " + path.string()));
  }
  return sync_directory(path.parent_path());
}

bool safe_component(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

bool safe_relative_path(std::string_view path) {
  for (std::string_view part : split(path, '/')) {
    if (!safe_component(part)) return false;
  }
  return path.size() <= 4095;
}

Result<void> claim_data_directory(const std::filesystem::path& path, std::string_view kind,
                                  int version) {
  TRY_VOID(make_directories(path, 0750));
  const std::string mine = "holdfast " + std::string(kind) + " " + std::to_string(version) + "\n";
  const auto file = path / "VERSION";
  auto found = read_file(file, 4096);
  if (!found && found.error().code() == Code::not_found) return replace_file(file, as_bytes(mine));
  if (!found) return std::unexpected(found.error());
  if (*found == mine) return {};
  const std::string_view there = std::string_view(*found).substr(0, found->find('\n'));
  return fail(Code::unsupported, path.string() + " holds the data of '" + std::string(there) +
                                     "', this program writes '" + mine.substr(0, mine.size() - 1) +
                                     "'; choose another --data directory");
}

}  // namespace holdfast
