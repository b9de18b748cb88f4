#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "base/files.h"
#include "oci/tar.h"
#include "oci/tar_header.h"

namespace holdfast::oci {
namespace {

constexpr uint64_t kExtendedLimit = 64 << 10;  // one extended header

std::unexpected<Error> invalid_layer(const std::string& why) {
  return fail(Code::invalid_argument, "layer_invalid", "the layer is not valid: " + why);
}

std::string_view text_of(const Block& block, Field field) {
  const std::string_view raw(block.data() + field.offset, field.size);
  return raw.substr(0, raw.find('\0'));
}

// Octal digits between blanks and zeros, or the base-256 form of large values.
std::optional<uint64_t> number_of(const Block& block, Field field) {
  const auto* raw = reinterpret_cast<const unsigned char*>(block.data() + field.offset);
  uint64_t value = 0;
  if (raw[0] & 0x80) {
    for (size_t i = 1; i < field.size; ++i) {
      if (value >> 55) return std::nullopt;
      value = value << 8 | raw[i];
    }
    return (raw[0] & 0x7f) == 0 ? std::optional(value) : std::nullopt;
  }
  const std::string_view text = trim(text_of(block, field));
  for (char c : text) {
    if (c < '0' || c > '7' || value >> 60) return std::nullopt;
    value = value << 3 | static_cast<uint64_t>(c - '0');
  }
  return value;
}

struct Extended {
  std::optional<std::string> path, link;
  std::optional<uint64_t> size;
};

Result<void> read_records(std::string_view text, Extended& extended) {
  while (!text.empty()) {
    const size_t blank = text.find(' ');
    const auto length = parse_u64(text.substr(0, blank));
    if (blank == std::string_view::npos || !length || *length <= blank + 1 ||
        *length > text.size() || text[*length - 1] != '\n')
      return invalid_layer("an extended header is damaged");
    const std::string_view line = text.substr(blank + 1, *length - blank - 2);
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos)
      return invalid_layer("an extended header has a record without a value");
    const std::string_view key = line.substr(0, equals), value = line.substr(equals + 1);
    if (key == "path") extended.path = value;
    if (key == "linkpath") extended.link = value;
    if (key == "size") {
      extended.size = parse_u64(value);
      if (!extended.size) return invalid_layer("an extended header has a bad size");
    }
    if (key.starts_with("GNU.sparse")) return invalid_layer("a sparse file is not taken");
    text.remove_prefix(*length);
  }
  return {};
}

// One pass over an archive.
class Reading {
 public:
  Reading(const ByteReader& source, const TarLimits& limits) : source_(source), limits_(limits) {}

  Result<void> run(const TarVisitor& visit) {
    Extended extended;
    for (;;) {
      Block block{};
      TRY_VOID(exactly(std::as_writable_bytes(std::span(block))));
      if (std::ranges::all_of(block, [](char c) { return c == '\0'; })) return drain();
      if (number_of(block, kSum) != checksum(block)) return invalid_layer("a header is damaged");
      TRY(const uint64_t size, size_of(block));
      const char type = block[kType.offset];
      if (type == 'x' || type == 'L' || type == 'K') {
        if (size > kExtendedLimit)
          return fail(Code::too_large, "the layer has an extended header over 64 KiB");
        std::string text(size, '\0');
        TRY_VOID(exactly(std::as_writable_bytes(std::span(text))));
        TRY_VOID(skip(padding(size)));
        if (type == 'x') TRY_VOID(read_records(text, extended));
        text = text.substr(0, text.find('\0'));
        if (type == 'L') extended.path = text;
        if (type == 'K') extended.link = text;
        continue;
      }
      if (type == 'g') {  // a comment of the archiver; git writes one
        TRY_VOID(skip(size + padding(size)));
        continue;
      }
      TRY_VOID(member(block, type, extended, extended.size.value_or(size), visit));
      extended = Extended();
    }
  }

 private:
  Result<uint64_t> size_of(const Block& block) const {
    const auto size = number_of(block, kSize);
    if (!size) return invalid_layer("a header has a bad size");
    if (*size > limits_.bytes) return over();
    return *size;
  }
  std::unexpected<Error> over() const {
    return fail(Code::too_large, "the layer unpacks to more than " + format_size(limits_.bytes));
  }
  static uint64_t padding(uint64_t size) { return (kBlock - size % kBlock) % kBlock; }

  Result<void> exactly(std::span<std::byte> into) {
    while (!into.empty()) {
      TRY(const size_t count, source_(into));
      if (count == 0) return invalid_layer("it is cut short");
      if ((seen_ += count) > limits_.bytes) return over();
      into = into.subspan(count);
    }
    return {};
  }
  // To the end of the stream, so that damage behind the last member is found too.
  Result<void> drain() {
    std::vector<std::byte> scrap(64 << 10);
    for (;;) {
      TRY(const size_t count, source_(scrap));
      if (count == 0) return {};
      if ((seen_ += count) > limits_.bytes) return over();
    }
  }
  Result<void> skip(uint64_t size) {
    std::vector<std::byte> scrap(std::min<uint64_t>(size, 64 << 10));
    while (size > 0) {
      const auto part = std::span(scrap).first(std::min<uint64_t>(size, scrap.size()));
      TRY_VOID(exactly(part));
      size -= part.size();
    }
    return {};
  }

  Result<TarMember> described(const Block& block, char type, const Extended& extended,
                              uint64_t size) {
    TarMember member;
    switch (type) {
      case '0':
      case '\0':
      case '7':
        member.kind = TarKind::file;
        member.size = size;
        break;
      case '1':
        member.kind = TarKind::hardlink;
        break;
      case '2':
        member.kind = TarKind::symlink;
        break;
      case '5':
        member.kind = TarKind::directory;
        break;
      default:
        return invalid_layer("a member is of the kind '" + std::string(1, type) +
                             "', neither file, directory nor link");
    }
    if (member.kind != TarKind::file && size > 0)
      return invalid_layer("a directory or a link carries bytes");
    const std::string_view prefix =
        std::string_view(block.data() + kMagic.offset, 5) == "ustar" ? text_of(block, kPrefix) : "";
    std::string path = extended.path.value_or((prefix.empty() ? "" : std::string(prefix) + "/") +
                                              std::string(text_of(block, kName)));
    if (path.starts_with("./")) path.erase(0, 2);
    if (path.ends_with('/')) path.pop_back();
    member.path = std::move(path);
    member.link = extended.link.value_or(std::string(text_of(block, kLink)));
    member.mode = static_cast<unsigned>(number_of(block, kMode).value_or(0) & 07777);
    if (member.path.size() > limits_.path || member.link.size() > limits_.path)
      return fail(Code::too_large, "the layer has a path over its limit");
    return member;
  }

  Result<void> member(const Block& block, char type, const Extended& extended, uint64_t size,
                      const TarVisitor& visit) {
    TRY(const TarMember found, described(block, type, extended, size));
    if (++entries_ > limits_.entries)
      return fail(Code::too_large,
                  "the layer has more than " + std::to_string(limits_.entries) + " members");
    uint64_t left = found.size;
    const ByteReader bytes = [this, &left](std::span<std::byte> into) -> Result<size_t> {
      const auto part = into.first(std::min<uint64_t>(into.size(), left));
      TRY_VOID(exactly(part));
      left -= part.size();
      return part.size();
    };
    if (!found.path.empty() && found.path != ".") {  // the root itself says nothing
      if (!safe_relative_path(found.path))
        return invalid_layer("the path '" + found.path.substr(0, 200) + "' leads out of it");
      if (!paths_.insert(found.path).second)
        return invalid_layer("the path '" + found.path.substr(0, 200) + "' is there twice");
      TRY_VOID(visit(found, bytes));
    }
    return skip(left + padding(found.size));
  }

  const ByteReader& source_;
  const TarLimits& limits_;
  uint64_t seen_ = 0, entries_ = 0;
  std::set<std::string> paths_;
};

}  // namespace

Result<void> read_tar(const ByteReader& source, const TarLimits& limits, const TarVisitor& visit) {
  return Reading(source, limits).run(visit);
}

}  // namespace holdfast::oci
