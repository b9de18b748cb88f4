// Descriptors, manifests, indexes and image configurations, and their JSON. Plain values, any
// thread. Source: OCI image-spec 1.1 (descriptor.md, manifest.md, image-index.md, config.md); the
// Docker v2 schema 2 types, which have the same shape, are read too.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/digest.h"

namespace holdfast::oci {

namespace media {
inline constexpr std::string_view kManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kEmpty = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerIndex =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerLayer =
    "application/vnd.docker.image.rootfs.diff.tar.gzip";
}  // namespace media

using Annotations = std::map<std::string, std::string>;

struct Platform {
  std::string architecture, os, variant;
};

struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size = 0;
  std::string artifact_type;
  Annotations annotations;
  std::optional<Platform> platform;
  // Its bytes need not be in a registry (the old "foreign" and "nondistributable" layers).
  bool elsewhere() const;
};

// An image manifest, or an index of them.
struct Manifest {
  std::string media_type = std::string(media::kManifest);
  std::string artifact_type;
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;     // base first
  std::vector<Descriptor> manifests;  // of an index
  std::optional<Descriptor> subject;
  Annotations annotations;

  bool is_index() const { return media_type == media::kIndex || media_type == media::kDockerIndex; }
  // As the referrers API lists it: artifactType, else (not for an index) the config's media type.
  std::string listed_artifact_type() const;
};

// `content_type` is what the carrier said ("" where it said nothing); it must agree with the
// document's own mediaType. invalid_argument "manifest_invalid", naming the field.
Result<Manifest> parse_manifest(std::string_view json, std::string_view content_type);
// The same bytes for the same value.
std::string write_manifest(const Manifest& manifest);
std::string write_descriptors(const std::vector<Descriptor>& manifests);  // an index of just these

struct ImageConfig {
  std::string created;  // RFC 3339
  std::string architecture = "amd64", os = "linux";
  std::string user, working_dir;
  std::vector<std::string> env, entrypoint, cmd, exposed_ports;  // ports as "8000/tcp"
  Annotations labels;
  std::vector<Digest> diff_ids;      // of the uncompressed layers, base first
  std::vector<std::string> history;  // "created_by" of each layer
};
// invalid_argument "manifest_invalid".
Result<ImageConfig> parse_image_config(std::string_view json);
std::string write_image_config(const ImageConfig& config);

}  // namespace holdfast::oci
