// <data>/run.json: that a daemon is ready, its process and the addresses that it really got.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

namespace holdfast {

// Doors that are closed have an empty address, and are left out. Written on construction (mode
// 0600, atomically), removed on destruction. A failure to write is logged.
class RunFile {
 public:
  RunFile(std::string path, std::initializer_list<std::pair<const char*, std::string>> addresses);
  ~RunFile();
  RunFile(const RunFile&) = delete;
  RunFile& operator=(const RunFile&) = delete;

 private:
  std::string path_;
};

}  // namespace holdfast
