#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "base/files.h"
#include "oci/tar.h"
#include "oci/tar_header.h"

namespace holdfast::oci {
namespace {

constexpr uint64_t kOctalLimit = 077777777777;  // eleven octal digits

void put_text(Block& block, Field field, std::string_view text) {
  std::memcpy(block.data() + field.offset, text.data(), std::min(text.size(), field.size));
}

void put_octal(Block& block, Field field, uint64_t value) {
  for (size_t i = field.size - 1; i-- > 0; value >>= 3)
    block[field.offset + i] = static_cast<char>('0' + (value & 7));
}

struct Names {
  std::string_view prefix, name;
  bool fit = false;
};
// Where the path may be cut at a slash so that both parts fit ustar.
Names cut(std::string_view path) {
  if (path.size() <= kName.size) return {"", path, true};
  const size_t slash = path.find('/', path.size() - kName.size - 1);
  if (slash != std::string_view::npos && slash > 0 && slash <= kPrefix.size &&
      slash + 1 < path.size())
    return {path.substr(0, slash), path.substr(slash + 1), true};
  return {"", path.substr(0, kName.size), false};
}

Block header_of(const Names& names, char type, const TarEntry& entry, uint64_t size,
                std::string_view link) {
  Block block{};
  put_text(block, kName, names.name);
  put_text(block, kPrefix, names.prefix);
  put_octal(block, kMode, entry.mode & 07777);
  put_octal(block, kUid, entry.uid);
  put_octal(block, kGid, entry.gid);
  put_octal(block, kSize, std::min(size, kOctalLimit));
  put_octal(block, kTime, 0);
  block[kType.offset] = type;
  put_text(block, kLink, link);
  put_text(block, kMagic,
           std::string_view("ustar\0"
                            "00",
                            8));
  put_octal(block, {kSum.offset, 7}, checksum(block));
  block[kSum.offset + 7] = ' ';
  return block;
}

// "LENGTH key=value\n", where LENGTH counts itself.
std::string record(std::string_view key, std::string_view value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length)
    length = std::to_string(length).size() + rest;
  return std::to_string(length) + " " + std::string(key) + "=" + std::string(value) + "\n";
}

Result<void> pad(const ByteSink& sink, uint64_t size) {
  static constexpr Block zeros{};
  const size_t over = size % kBlock;
  if (over == 0) return {};
  return sink(as_bytes(std::string_view(zeros.data(), kBlock - over)));
}

Result<void> put(const ByteSink& sink, std::string_view text) {
  TRY_VOID(sink(as_bytes(text)));
  return pad(sink, text.size());
}

Result<void> copy_file(const std::filesystem::path& path, const Fd& fd, uint64_t size,
                       const ByteSink& sink) {
  const ByteReader reader = file_reader(fd.get());
  std::vector<std::byte> piece(256 << 10);
  uint64_t left = size;
  for (;;) {
    TRY(const size_t count, reader(piece));
    if (count > left || (count == 0 && left > 0))
      return fail(Code::internal, path.string() + " changed its size while it was read");
    if (count == 0) return pad(sink, size);
    TRY_VOID(sink(ByteView(piece.data(), count)));
    left -= count;
  }
}

Result<void> write_entry(const TarEntry& entry, const ByteSink& sink) {
  const auto* text = std::get_if<std::string>(&entry.content);
  const auto* path = std::get_if<std::filesystem::path>(&entry.content);
  Fd fd;
  uint64_t size = 0;
  if (entry.kind == TarKind::file && path != nullptr) {
    TRY(fd, open_file(*path, O_RDONLY));
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) return std::unexpected(errno_error(errno, path->string()));
    size = static_cast<uint64_t>(status.st_size);
  } else if (entry.kind == TarKind::file) {
    size = text->size();
  }
  const bool directory = entry.kind == TarKind::directory;
  const std::string name = directory ? entry.path + "/" : entry.path;
  const Names names = cut(name);
  std::string extended;
  if (entry.link.size() > kLink.size) extended += record("linkpath", entry.link);
  if (!names.fit) extended += record("path", name);
  if (size > kOctalLimit) extended += record("size", std::to_string(size));
  if (!extended.empty()) {
    TarEntry plain;
    const Block block = header_of({"", "pax", true}, 'x', plain, extended.size(), "");
    TRY_VOID(sink(as_bytes(std::string_view(block.data(), kBlock))));
    TRY_VOID(put(sink, extended));
  }
  static constexpr std::array<char, 4> types = {'0', '5', '2', '1'};
  const Block block = header_of(names, types[static_cast<size_t>(entry.kind)], entry, size,
                                std::string_view(entry.link).substr(0, kLink.size));
  TRY_VOID(sink(as_bytes(std::string_view(block.data(), kBlock))));
  if (entry.kind != TarKind::file) return {};
  if (path != nullptr) return copy_file(*path, fd, size, sink);
  return put(sink, *text);
}

}  // namespace

TarEntry tar_file(std::string path, std::string bytes, unsigned mode) {
  TarEntry entry;
  entry.path = std::move(path);
  entry.content = std::move(bytes);
  entry.mode = mode;
  return entry;
}

TarEntry tar_file_from(std::string path, std::filesystem::path host_file, unsigned mode) {
  TarEntry entry;
  entry.path = std::move(path);
  entry.content = std::move(host_file);
  entry.mode = mode;
  return entry;
}

Result<void> write_tar(std::vector<TarEntry> entries, const ByteSink& sink) {
  std::set<std::string> there;
  for (const TarEntry& entry : entries) {
    if (!safe_relative_path(entry.path))
      return fail(Code::invalid_argument, "layer_invalid",
                  "'" + entry.path + "' is not a relative path");
    if (!there.insert(entry.path).second)
      return fail(Code::invalid_argument, "layer_invalid", "'" + entry.path + "' is there twice");
  }
  const size_t given = entries.size();
  for (size_t i = 0; i < given; ++i) {
    const std::string path = entries[i].path;
    for (size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      if (!there.insert(path.substr(0, at)).second) continue;
      TarEntry parent;
      parent.kind = TarKind::directory;
      parent.path = path.substr(0, at);
      parent.mode = 0755;
      entries.push_back(std::move(parent));
    }
  }
  std::ranges::sort(entries, {}, &TarEntry::path);
  for (const TarEntry& entry : entries) TRY_VOID(write_entry(entry, sink));
  static constexpr std::array<char, 2 * kBlock> end{};
  return sink(as_bytes(std::string_view(end.data(), end.size())));
}

}  // namespace holdfast::oci
