// A directory in the OCI image layout: what `skopeo copy … oci:DIR:TAG` reads and writes.
// Source: OCI image-spec 1.1, image-layout.md. Blocking; one writer at a time.
#pragma once

#include <filesystem>
#include <string>

#include "oci/manifest.h"

namespace holdfast::oci {

class ImageLayout {
 public:
  // Makes the directory, its marker and an empty index where they are not there.
  // unsupported: a layout of another version.
  static Result<ImageLayout> create(std::filesystem::path directory);
  static Result<ImageLayout> open(std::filesystem::path directory);  // not_found, unsupported

  // Durable when they return; a blob that is there already is left alone.
  Result<Descriptor> put_blob(ByteView bytes, std::string media_type);
  // Copies the file. invalid_argument "digest_invalid" where its bytes are not `digest`.
  Result<void> put_file(const std::filesystem::path& file, const Digest& digest);
  // The manifest becomes a blob and is listed under `tag`, in place of what had that tag.
  Result<Descriptor> put_manifest(std::string_view json, std::string media_type,
                                  const std::string& tag);

  Result<Manifest> index() const;
  Result<Descriptor> resolve(std::string_view tag) const;  // not_found
  // not_found; too_large; invalid_argument "digest_invalid" where the bytes are others.
  Result<std::string> blob(const Digest& digest, uint64_t limit = 64 << 20) const;
  std::filesystem::path path_of(const Digest& digest) const;

 private:
  explicit ImageLayout(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path directory_;
};

}  // namespace holdfast::oci
