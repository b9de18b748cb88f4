// For tests: a folder that goes away with the test, and files in it.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "base/digest.h"

namespace holdfast::oci {

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("oci_test." + hex(as_bytes(random_bytes(6))));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path file(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
    return path / name;
  }
};

}  // namespace holdfast::oci
