#include "transfer/tree.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/digest.h"
#include "base/files.h"

namespace holdfast::transfer {

namespace fs = std::filesystem;

bool is_utf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto first = static_cast<uint8_t>(text[i++]);
    if (first < 0x80) continue;
    const int more = first >= 0xf0 && first < 0xf5   ? 3
                     : first >= 0xe0 && first < 0xf0 ? 2
                     : first >= 0xc2 && first < 0xe0 ? 1
                                                     : 0;
    if (more == 0) return false;
    uint32_t point = first & (0x3fu >> more);
    for (int n = 0; n < more; ++n, ++i) {
      if (i >= text.size() || (static_cast<uint8_t>(text[i]) & 0xc0) != 0x80) return false;
      point = point << 6 | (static_cast<uint8_t>(text[i]) & 0x3f);
    }
    constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    if (point < kLeast[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
      return false;
  }
  return true;
}

Result<Tree> read_tree(const fs::path& root) {
  Tree tree;
  std::error_code error;
  fs::recursive_directory_iterator at(root, error), end;
  for (; !error && at != end; at.increment(error)) {
    const fs::file_status status = at->symlink_status(error);
    if (error) break;
    if (status.type() == fs::file_type::directory) continue;
    std::string name = at->path().lexically_relative(root).string();
    if (name.ends_with(kPartEnding) || name.ends_with(std::string(kPartEnding) + ".done")) continue;
    if (status.type() != fs::file_type::regular || !is_utf8(name) ||
        name.find('\\') != std::string::npos) {  // a blob service makes a '/' of it
      tree.left_out.push_back(std::move(name));
      continue;
    }
    Entry entry;
    entry.name = std::move(name);
    entry.size = at->file_size(error);
    if (error) break;
    tree.files.push_back(std::move(entry));
  }
  if (error) return std::unexpected(errno_error(error.value(), "read the folder " + root.string()));
  std::sort(tree.files.begin(), tree.files.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return tree;
}

Result<void> check_file_name(const std::string& blob) {
  if (!safe_relative_path(blob))
    return fail(Code::invalid_argument, "'" + blob + "' can not be the name of a file");
  if (blob.ends_with(kPartEnding))
    return fail(Code::invalid_argument, "'" + blob + "' is the name of a part, not of a file");
  return {};
}

Result<std::string> md5_of(const fs::path& file) {
  TRY(const Fd fd, open_file(file, O_RDONLY));
  Hasher hasher(HashKind::md5);
  Bytes piece(256 << 10);
  for (;;) {
    const ssize_t count = ::read(fd.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(errno_error(errno, "read " + file.string()));
    if (count == 0) break;
    hasher.update(ByteView(piece.data(), static_cast<size_t>(count)));
  }
  return base64(as_bytes(hasher.finish()));
}

}  // namespace holdfast::transfer
