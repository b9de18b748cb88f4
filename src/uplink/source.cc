#include "uplink/source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/digest.h"

namespace holdfast::uplink {

Result<Source> open_source(const shares::ShareConfig& share, const shares::FileEvent& event) {
  if (!shares::visible_path(event.path))
    return fail(Code::invalid_argument, "the name '" + event.path + "' can not be uploaded");
  auto opened = open_file(share.path + "/" + event.path, O_RDONLY | O_NOFOLLOW);
  if (!opened && opened.error().code() == Code::not_found)
    return fail(Code::conflict, "file_changed", "the file is gone");
  if (!opened) return std::unexpected(opened.error());
  Source out;
  out.fd = std::make_shared<Fd>(std::move(*opened));
  struct stat info{};
  if (::fstat(out.fd->get(), &info) != 0) return std::unexpected(errno_error(errno, event.path));
  const int64_t modified = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  if (shares::event_id(share.name, event.path, info.st_ino, modified,
                       static_cast<uint64_t>(info.st_size)) != event.id) {
    return fail(Code::conflict, "file_changed", "the file was changed since");
  }
  Hasher hasher(HashKind::md5);
  std::vector<std::byte> piece(1 << 20);
  for (uint64_t at = 0; at < event.size;) {
    const std::span<std::byte> part(piece.data(),
                                    std::min<uint64_t>(piece.size(), event.size - at));
    TRY_VOID(read_exact(out.fd->get(), part, at));
    hasher.update(part);
    at += part.size();
  }
  out.md5 = base64(as_bytes(hasher.finish()));
  return out;
}

std::string content_type_of(std::string_view path) {
  static constexpr std::pair<std::string_view, std::string_view> known[] = {
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".jpeg", "image/jpeg"},
      {".json", "application/json"},
      {".jsonl", "application/x-ndjson"},
      {".csv", "text/csv"},
      {".txt", "text/plain"},
      {".npy", "application/octet-stream"}};
  for (const auto& [ending, type] : known) {
    if (path.ends_with(ending)) return std::string(type);
  }
  return "application/octet-stream";
}

}  // namespace holdfast::uplink
