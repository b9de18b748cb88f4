// A fuzz target's input as a file that code with a path can read.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/files.h"

// The one file of the process, with these bytes now.
inline std::string memory_file(const void* data, size_t size) {
  static const holdfast::Fd file(::memfd_create("fuzz", MFD_CLOEXEC));
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), data, size, 0) != static_cast<ssize_t>(size))
    std::abort();
  return "/proc/self/fd/" + std::to_string(file.get());
}
