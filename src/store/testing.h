// A folder of its own for a test.
#pragma once

#include <filesystem>

#include "base/digest.h"

namespace holdfast::store {

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("store_test." + hex(as_bytes(random_bytes(6))));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace holdfast::store
