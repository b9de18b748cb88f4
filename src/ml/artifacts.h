// The files of runs and of logged models: blobs of the container "artifacts" of the account
// "workspace", under the root of their owner (Run::artifact_root(), LoggedModel::artifact_root()).
#pragma once

#include <memory>

#include "blob/blobs.h"
#include "net/byte_stream.h"

namespace holdfast::ml {

inline constexpr std::string_view kArtifactAccount = "workspace";
inline constexpr std::string_view kArtifactContainer = "artifacts";

struct ArtifactEntry {
  std::string name;  // its last component
  bool directory = false;
  uint64_t size = 0;
};

// Any thread may call. A path never reaches a file system. Common failures: invalid_argument (no
// relative path, "..", a control sign), not_found, unavailable, internal.
class Artifacts {
 public:
  // Makes the container where it is not there; blocks. `blobs` must outlive it.
  static Result<std::unique_ptr<Artifacts>> open(blob::Blobs& blobs);

  // Streams the source in; the file is there, whole and durable, when this returns. Replaces.
  Task<Result<uint64_t>> put(std::string path, ByteSource& source, std::optional<uint64_t> size);
  Task<Result<blob::OpenBlob>> open_file(std::string path);
  // What is right below `directory` ("": the top), by name; nothing where there is none.
  Task<Result<std::vector<ArtifactEntry>>> list(std::string directory);
  // Names of all files below `directory`, relative to it, in order.
  Task<Result<std::vector<ArtifactEntry>>> tree(std::string directory);
  // The file, or all that is below the directory; not_found where there is neither.
  Task<Result<void>> remove(std::string path);

 private:
  explicit Artifacts(blob::Blobs& blobs) : blobs_(blobs) {}
  blob::Blobs& blobs_;
};

// The plain form of a client's path ("a/./b" is "a/b"); invalid_argument.
Result<std::string> artifact_path(std::string_view path);

}  // namespace holdfast::ml
