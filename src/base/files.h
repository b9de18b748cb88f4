// Durable small-file work for configuration, state and models: the recipe write → fsync → rename →
// fsync the directory in one place. Blocking; call from a pool or at start-up. Errors as
// errno_error() maps them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace holdfast {

// An owned file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

Result<Fd> open_file(const std::filesystem::path& path, int flags, int mode = 0644);
// The whole file; too_large over `limit` bytes.
Result<std::string> read_file(const std::filesystem::path& path, uint64_t limit = 64 << 20);
// All of `bytes`, at `offset` or (offset < 0) at the file's position.
Result<void> write_all(int fd, ByteView bytes, int64_t offset = -1);
// Exactly `bytes.size()` bytes at `offset`; internal on a short file.
Result<void> read_exact(int fd, std::span<std::byte> bytes, uint64_t offset);
Result<void> sync_directory(const std::filesystem::path& directory);
// Readers see the old or the new file, also after power loss. The temporary name begins with '.'.
Result<void> replace_file(const std::filesystem::path& path, ByteView bytes, int mode = 0644);
// Makes the directory and its parents, mode for the ones made.
Result<void> make_directories(const std::filesystem::path& path, int mode = 0755);
// True where `name` is one safe path component: not empty, ≤ 255 bytes, no '/', no NUL, not "." or
// "..".
bool safe_component(std::string_view name);
// True where `path` is relative, and every component is safe.
bool safe_relative_path(std::string_view path);

// Every directory's `VERSION` file: writes `version` into a new directory, and refuses an existing
// one of another version (unsupported, naming both).
Result<void> claim_data_directory(const std::filesystem::path& path, std::string_view kind,
                                  int version);

}  // namespace holdfast
