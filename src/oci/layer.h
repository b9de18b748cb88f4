// Layers of images as files. Blocking: run on a pool.
#pragma once

#include <stop_token>

#include "oci/manifest.h"
#include "oci/tar.h"

namespace holdfast::oci {

struct Layer {
  Descriptor descriptor;  // of the compressed bytes
  Digest diff_id;         // of the tar inside
  std::filesystem::path file;
};

// A gzip'ed tar of the entries at `into`: written beside it, synced and renamed, so that it is
// there whole or not at all. Fails as write_tar() and files do; cancelled: `stop` was requested.
Result<Layer> write_layer(std::vector<TarEntry> entries, const std::filesystem::path& into,
                          int level = 6, std::stop_token stop = {});

// Every member of a layer's file. unsupported for a media type that is neither tar nor tar with
// gzip; otherwise as read_tar().
Result<void> read_layer(const std::filesystem::path& file, std::string_view media_type,
                        const TarLimits& limits, const TarVisitor& visit);

// The digest of a file's bytes. cancelled: `stop` was requested.
Result<Digest> digest_file(const std::filesystem::path& file, HashKind kind = HashKind::sha256,
                           std::stop_token stop = {});

}  // namespace holdfast::oci
