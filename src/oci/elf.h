// What an ELF file needs to run: its loader and its shared libraries. Reads headers only, believes
// no offset in them. Blocking. Source: System V ABI, "Dynamic Linking"; ld.so(8) for the search.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::oci {

struct ElfFile {
  std::string architecture;  // as OCI names it: "amd64", "arm64"
  std::string interpreter;   // "/lib64/ld-linux-x86-64.so.2"; "" for a library
  std::vector<std::string> needed;
  std::vector<std::string> run_paths;  // RUNPATH, or RPATH where there is none; $ORIGIN resolved
};
// invalid_argument: not a 64-bit little-endian ELF file, or damaged; unsupported: another machine.
Result<ElfFile> read_elf(const std::filesystem::path& file);

struct SharedLibrary {
  std::string name;            // as it is asked for: "libz.so.1"
  std::filesystem::path file;  // where it is on this machine
};
// All that the files need, and what those need in turn, sorted by name; the files themselves are
// not in it. Looked for along each file's run paths, then in `directories`. not_found names what is
// missing.
Result<std::vector<SharedLibrary>> libraries_of(const std::vector<std::filesystem::path>& files,
                                                const std::vector<std::string>& directories);

// Where this machine's loader looks: the lines of /etc/ld.so.conf.d and the built-in directories.
std::vector<std::string> library_directories();

}  // namespace holdfast::oci
