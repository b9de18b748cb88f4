// The tar archives of layers: a writer that makes the same bytes for the same content, and a reader
// that believes nothing. Blocking: run on a pool. Source: POSIX.1-2017 pax (ustar and extended
// headers), OCI image-spec 1.1 layer.md.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "oci/stream.h"

namespace holdfast::oci {

enum class TarKind { file, directory, symlink, hardlink };

struct TarEntry {
  TarKind kind = TarKind::file;
  std::string path;  // relative: "models/digits/1/model.onnx"
  unsigned mode = 0644;
  unsigned uid = 0, gid = 0;
  std::variant<std::string, std::filesystem::path> content;  // a file's bytes, or where they are
  std::string link;                                          // of a link
};
TarEntry tar_file(std::string path, std::string bytes, unsigned mode = 0644);
TarEntry tar_file_from(std::string path, std::filesystem::path host_file, unsigned mode = 0644);

// Sorted by bytes, missing parents added (0755, root), time 0, ustar with a pax header only where a
// name, a link or a size does not fit. invalid_argument on an unsafe or repeated path; what reading
// a file fails with, or internal where it changed its size meanwhile.
Result<void> write_tar(std::vector<TarEntry> entries, const ByteSink& sink);

struct TarLimits {
  uint64_t entries = 100'000;
  uint64_t bytes = 32ull << 30;  // of the whole archive, uncompressed
  size_t path = 4096;
};
struct TarMember {
  TarKind kind = TarKind::file;
  std::string path;  // relative and safe: no "..", no empty component, no leading '/'
  unsigned mode = 0;
  uint64_t size = 0;
  std::string link;  // as written: it may lead anywhere, and nothing here follows it
};
// Called for each member; `bytes` gives exactly its size, and what is left is skipped.
using TarVisitor = std::function<Result<void>(const TarMember& member, const ByteReader& bytes)>;

// invalid_argument "layer_invalid": damage, an unsafe or repeated path, a device, a sparse file, an
// archive without its end. too_large over a limit. Also what `source` and `visit` fail with.
Result<void> read_tar(const ByteReader& source, const TarLimits& limits, const TarVisitor& visit);

}  // namespace holdfast::oci
