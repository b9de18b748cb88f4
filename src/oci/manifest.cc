#include "oci/manifest.h"

#include "oci/json_fields.h"

namespace holdfast::oci {
namespace {

Result<Descriptor> descriptor_of(const json::value& value, const std::string& where) {
  Fields fields(value, where);
  Descriptor descriptor;
  TRY(descriptor.media_type, fields.text("mediaType"));
  TRY(const std::string digest, fields.text("digest"));
  TRY(descriptor.digest, Digest::parse(digest));
  TRY(descriptor.size, fields.size("size"));
  TRY(descriptor.artifact_type, fields.text_or_empty("artifactType"));
  TRY(descriptor.annotations, fields.texts("annotations"));
  if (const json::value* platform = fields.find("platform")) {
    Fields inner(*platform, where + ".platform");
    Platform found;
    TRY(found.architecture, inner.text_or_empty("architecture"));
    TRY(found.os, inner.text_or_empty("os"));
    TRY(found.variant, inner.text_or_empty("variant"));
    descriptor.platform = std::move(found);
  }
  return descriptor;
}

Result<std::vector<Descriptor>> descriptors_of(Fields& fields, const std::string& name) {
  std::vector<Descriptor> out;
  TRY(const json::array* list, fields.list(name));
  if (list == nullptr) return out;
  out.reserve(list->size());
  for (size_t i = 0; i < list->size(); ++i) {
    TRY(Descriptor one, descriptor_of((*list)[i], name + "[" + std::to_string(i) + "]"));
    out.push_back(std::move(one));
  }
  return out;
}

json::object json_of(const Annotations& annotations) {
  json::object out;
  for (const auto& [name, value] : annotations) out[name] = value;
  return out;
}

json::object json_of(const Descriptor& descriptor) {
  json::object out;
  out["mediaType"] = descriptor.media_type;
  out["digest"] = descriptor.digest.str();
  out["size"] = descriptor.size;
  if (!descriptor.artifact_type.empty()) out["artifactType"] = descriptor.artifact_type;
  if (descriptor.platform) {
    json::object platform;
    platform["architecture"] = descriptor.platform->architecture;
    platform["os"] = descriptor.platform->os;
    if (!descriptor.platform->variant.empty()) platform["variant"] = descriptor.platform->variant;
    out["platform"] = std::move(platform);
  }
  if (!descriptor.annotations.empty()) out["annotations"] = json_of(descriptor.annotations);
  return out;
}

json::array json_of(const std::vector<Descriptor>& descriptors) {
  json::array out;
  for (const Descriptor& descriptor : descriptors) out.push_back(json_of(descriptor));
  return out;
}

// Without parameters ("; charset=…").
std::string bare_type(std::string_view content_type) {
  return lower(trim(content_type.substr(0, content_type.find(';'))));
}

}  // namespace

bool Descriptor::elsewhere() const {
  return media_type.find("nondistributable") != std::string::npos ||
         media_type.find("rootfs.foreign") != std::string::npos;
}

std::string Manifest::listed_artifact_type() const {
  if (!artifact_type.empty() || is_index() || !config) return artifact_type;
  return config->media_type;
}

Result<Manifest> parse_manifest(std::string_view text, std::string_view content_type) {
  TRY(const json::value value, parse_json(text));
  Fields fields(value, "");
  TRY(const uint64_t schema, fields.size("schemaVersion"));
  if (schema != 2) return invalid("schemaVersion", "must be 2");
  Manifest manifest;
  const std::string said = bare_type(content_type);
  TRY(manifest.media_type, fields.text_or_empty("mediaType"));
  if (manifest.media_type.empty()) manifest.media_type = said;
  if (manifest.media_type.empty())
    manifest.media_type = fields.find("manifests") != nullptr ? media::kIndex : media::kManifest;
  if (!said.empty() && said != manifest.media_type)
    return invalid("mediaType",
                   "is '" + manifest.media_type + "', but it was sent as '" + said + "'");
  const bool image =
      manifest.media_type == media::kManifest || manifest.media_type == media::kDockerManifest;
  if (!image && !manifest.is_index())
    return invalid("mediaType", "'" + manifest.media_type + "' is not a manifest or an index");
  TRY(manifest.artifact_type, fields.text_or_empty("artifactType"));
  TRY(manifest.annotations, fields.texts("annotations"));
  if (const json::value* subject = fields.find("subject")) {
    TRY(manifest.subject, descriptor_of(*subject, "subject"));
  }
  if (image) {
    if (fields.find("manifests") != nullptr)
      return invalid("manifests", "belongs to an index, not to a manifest");
    const json::value* config = fields.find("config");
    if (config == nullptr) return invalid("config", "is required");
    TRY(manifest.config, descriptor_of(*config, "config"));
    if (fields.find("layers") == nullptr) return invalid("layers", "is required");
    TRY(manifest.layers, descriptors_of(fields, "layers"));
    if (manifest.artifact_type.empty() && manifest.config->media_type == media::kEmpty)
      return invalid("artifactType", "is required where the config is empty");
  } else {
    if (fields.find("layers") != nullptr || fields.find("config") != nullptr)
      return invalid("layers", "belongs to a manifest, not to an index");
    if (fields.find("manifests") == nullptr) return invalid("manifests", "is required");
    TRY(manifest.manifests, descriptors_of(fields, "manifests"));
  }
  return manifest;
}

std::string write_manifest(const Manifest& manifest) {
  json::object out;
  out["schemaVersion"] = 2;
  out["mediaType"] = manifest.media_type;
  if (!manifest.artifact_type.empty()) out["artifactType"] = manifest.artifact_type;
  if (manifest.is_index()) {
    out["manifests"] = json_of(manifest.manifests);
  } else {
    if (manifest.config) out["config"] = json_of(*manifest.config);
    out["layers"] = json_of(manifest.layers);
  }
  if (manifest.subject) out["subject"] = json_of(*manifest.subject);
  if (!manifest.annotations.empty()) out["annotations"] = json_of(manifest.annotations);
  return json::serialize(out);
}

std::string write_descriptors(const std::vector<Descriptor>& manifests) {
  Manifest index;
  index.media_type = media::kIndex;
  index.manifests = manifests;
  return write_manifest(index);
}

}  // namespace holdfast::oci
