// The files below a folder, and which names of blobs may become files. Blocking.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::transfer {

constexpr std::string_view kPartEnding = ".holdfast-part";  // of what is not complete yet

// A file below a folder, or a blob below a prefix.
struct Entry {
  std::string name;  // with '/', below the root
  uint64_t size = 0;
  std::string md5;  // base64; a file's is empty until it is asked for
};

struct Tree {
  std::vector<Entry> files;           // ordered by name
  std::vector<std::string> left_out;  // neither file nor folder (links, sockets), or no UTF-8
};
// not_found, denied; a folder that can not be read is an error, never an empty one.
Result<Tree> read_tree(const std::filesystem::path& root);

// invalid_argument where a blob's name can be no file's below a folder: "..", "a//b", "a/", a NUL.
Result<void> check_file_name(const std::string& blob);

bool is_utf8(std::string_view text);

// The whole file's MD5 in base64; read in small pieces.
Result<std::string> md5_of(const std::filesystem::path& file);

}  // namespace holdfast::transfer
