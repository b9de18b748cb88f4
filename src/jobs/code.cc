#include "jobs/code.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/digest.h"
#include "base/files.h"
#include "oci/tar.h"

namespace holdfast::jobs {
namespace {

namespace fs = std::filesystem;

const oci::TarLimits kLimits{.entries = 10'000, .bytes = kCodeBytes, .path = 1024};

oci::ByteReader reader_of(std::string_view bytes) {
  return [bytes, at = size_t{0}](std::span<std::byte> into) mutable -> Result<size_t> {
    const size_t size = std::min(into.size(), bytes.size() - at);
    if (size > 0) std::memcpy(into.data(), bytes.data() + at, size);
    at += size;
    return size;
  };
}

Result<void> check_member(const oci::TarMember& member) {
  if (member.kind == oci::TarKind::file || member.kind == oci::TarKind::directory) return {};
  return fail(Code::invalid_argument,
              "'" + member.path + "' is a link; code holds plain files and folders");
}

bool is_id(std::string_view id) {
  return id.size() == 64 && std::ranges::all_of(id, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string path_of(const std::string& directory, std::string_view id) {
  return directory + "/" + std::string(id) + ".tar";
}

Result<void> write_member(const fs::path& path, const oci::TarMember& member,
                          const oci::ByteReader& bytes) {
  if (member.kind == oci::TarKind::directory) return make_directories(path);
  TRY_VOID(make_directories(path.parent_path()));
  TRY(const Fd file, open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                               (member.mode & 0111) != 0 ? 0755 : 0644));
  std::byte piece[32 << 10];
  while (true) {
    TRY(const size_t got, bytes(piece));
    if (got == 0) return {};
    TRY_VOID(write_all(file.get(), ByteView(piece, got)));
  }
}

}  // namespace

Result<std::string> put_code(const std::string& directory, std::string_view tar) {
  if (tar.size() > kCodeBytes)
    return fail(Code::too_large, "code may have at most 32 MiB as an archive");
  const auto visit = [](const oci::TarMember& member, const oci::ByteReader&) {
    return check_member(member);
  };
  TRY_VOID(oci::read_tar(reader_of(tar), kLimits, visit));
  std::string id = sha256_hex(as_bytes(tar));
  if (has_code(directory, id)) return id;
  TRY_VOID(make_directories(directory, 0750));
  TRY_VOID(replace_file(path_of(directory, id), as_bytes(tar), 0640));
  return id;
}

Result<void> unpack_code(const std::string& directory, std::string_view id,
                         const std::string& into) {
  if (!has_code(directory, id))
    return fail(Code::not_found, "there is no code '" + std::string(id) + "'");
  TRY(const Fd file, open_file(path_of(directory, id), O_RDONLY | O_CLOEXEC));
  const auto visit = [&into](const oci::TarMember& member,
                             const oci::ByteReader& bytes) -> Result<void> {
    TRY_VOID(check_member(member));
    return write_member(fs::path(into) / member.path, member, bytes);
  };
  return oci::read_tar(oci::file_reader(file.get()), kLimits, visit);
}

bool has_code(const std::string& directory, std::string_view id) {
  std::error_code error;
  return is_id(id) && fs::is_regular_file(path_of(directory, id), error);
}

}  // namespace holdfast::jobs
