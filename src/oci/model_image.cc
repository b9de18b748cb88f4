#include "oci/model_image.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "oci/reference.h"

namespace holdfast::oci {
namespace {

namespace fs = std::filesystem;

constexpr int kModelLevel = 1;  // weights hardly shrink; a registration should not wait for it
constexpr int kProfileLevel = 6;

// As src/inference checks it: the image must hold what the server will load.
Result<void> check_model(const ModelDescription& description) {
  const std::string& name = description.name;
  const bool fits = !name.empty() && name.size() <= 128 && name.front() != '.' &&
                    std::ranges::all_of(name, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
                    });
  if (!fits)
    return fail(Code::invalid_argument,
                "'" + name +
                    "' is not the name of a model that can be served: 1 to 128 letters, "
                    "digits, '.', '_' and '-', not '.' first");
  if (description.version < 1)
    return fail(Code::invalid_argument, "a model version is a number from 1");
  return {};
}

Annotations labels_of(const ModelDescription& description, const Digest& onnx) {
  Annotations labels = {{"org.opencontainers.image.title", description.name},
                        {"org.opencontainers.image.version", std::to_string(description.version)},
                        {label::kModel, description.name},
                        {label::kVersion, std::to_string(description.version)},
                        {label::kDigest, onnx.str()}};
  if (!description.created.empty())
    labels["org.opencontainers.image.created"] = description.created;
  if (!description.run.empty()) labels[label::kRun] = description.run;
  if (!description.data.empty()) labels[label::kData] = description.data;
  return labels;
}

Descriptor described(std::string_view media_type, std::string_view bytes) {
  Descriptor descriptor;
  descriptor.media_type = media_type;
  descriptor.digest = Digest::sha256(as_bytes(bytes));
  descriptor.size = bytes.size();
  return descriptor;
}

// models/NAME/VERSION/FILE
std::string path_of(const std::string& model, int64_t version, const char* file) {
  return "models/" + model + "/" + std::to_string(version) + "/" + file;
}

bool is_model_path(const std::string& path, ExtractedModel& model) {
  const auto parts = split(path, '/');
  if (parts.size() != 4 || parts[0] != "models" || parts[3] != "model.onnx") return false;
  const auto version = parse_u64(parts[2]);
  if (!version || *version == 0 || *version > INT64_MAX) return false;
  model.name = parts[1];
  model.version = static_cast<int64_t>(*version);
  return true;
}

}  // namespace

std::string model_repository(std::string_view model) {
  std::string name = "models/" + std::string(model);
  if (model.find('/') == std::string_view::npos && check_name(name)) return name;
  std::string plain;
  for (char c : lower(model)) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (fits) plain += c;
    if (!fits && !plain.empty() && plain.back() != '-') plain += '-';
  }
  if (plain.size() > 128) plain.resize(128);
  if (!plain.empty() && plain.back() != '-') plain += '-';
  return "models/" + plain + sha256_hex(as_bytes(model)).substr(0, 12);
}

Result<ModelImage> build_model_image(const ModelDescription& description, const fs::path& onnx,
                                     const RuntimeLayer& runtime, const fs::path& into,
                                     std::stop_token stop) {
  TRY_VOID(check_model(description));
  ModelImage image;
  image.runtime = runtime.layer;
  TRY(image.onnx, digest_file(onnx, HashKind::sha256, stop));
  TRY(image.model,
      write_layer(
          {tar_file_from(path_of(description.name, description.version, "model.onnx"), onnx)}, into,
          kModelLevel, stop));
  if (!description.profile.empty()) {
    TRY(image.profile,
        write_layer({tar_file(path_of(description.name, description.version, "profile.json"),
                              description.profile)},
                    into.string() + ".profile", kProfileLevel, stop));
  }
  const Annotations labels = labels_of(description, image.onnx);
  ImageConfig config;
  config.created = description.created;
  config.architecture = runtime.architecture;
  config.user = kRuntimeUser;
  config.working_dir = "/";
  config.env = {"LD_LIBRARY_PATH=/lib"};
  if (!description.run.empty()) config.env.push_back("HOLDFAST_SERVE_RUN=" + description.run);
  config.entrypoint = {"/holdfast-serve"};
  config.cmd = {"--config", std::string(kRuntimeConfig)};
  config.exposed_ports = {"8000/tcp", "8001/tcp"};
  config.labels = labels;
  config.diff_ids = {image.runtime.diff_id, image.model.diff_id};
  const std::string what = description.name + " " + std::to_string(description.version);
  config.history = {"holdfast: runtime", "holdfast: model " + what};
  if (image.profile) {
    config.diff_ids.push_back(image.profile->diff_id);
    config.history.push_back("holdfast: profile of " + what);
  }
  image.config = write_image_config(config);
  image.config_descriptor = described(media::kConfig, image.config);
  Manifest manifest;
  manifest.config = image.config_descriptor;
  manifest.layers = {image.runtime.descriptor, image.model.descriptor};
  manifest.layers[1].annotations = {{label::kDigest, image.onnx.str()}};
  if (image.profile) {
    manifest.layers.push_back(image.profile->descriptor);
    manifest.layers[2].annotations = {
        {label::kProfile, Digest::sha256(as_bytes(description.profile)).str()}};
  }
  manifest.annotations = labels;
  image.manifest = write_manifest(manifest);
  image.manifest_descriptor = described(media::kManifest, image.manifest);
  return image;
}

Result<ExtractedModel> extract_model(const fs::path& layer, std::string_view media_type,
                                     const fs::path& into, uint64_t limit) {
  const fs::path passing = into.parent_path() / (".model-" + hex(as_bytes(random_bytes(8))));
  TRY(const Fd fd, open_file(passing, O_WRONLY | O_CREAT | O_EXCL));
  struct Cleanup {
    const fs::path& path;
    bool armed = true;
    ~Cleanup() {
      if (armed) ::unlink(path.c_str());
    }
  } cleanup{passing};
  ExtractedModel model;
  bool found = false;
  const TarVisitor visit = [&](const TarMember& member, const ByteReader& bytes) -> Result<void> {
    if (member.kind == TarKind::directory) return {};
    if (found || member.kind != TarKind::file || !is_model_path(member.path, model))
      return fail(Code::invalid_argument, "layer_invalid",
                  "the layer holds '" + member.path + "', and not one model alone");
    found = true;
    model.size = member.size;
    DigestHasher hasher;
    std::vector<std::byte> piece(256 << 10);
    for (;;) {
      TRY(const size_t count, bytes(piece));
      if (count == 0) break;
      hasher.update(ByteView(piece.data(), count));
      TRY_VOID(write_all(fd.get(), ByteView(piece.data(), count)));
    }
    model.onnx = hasher.finish();
    return {};
  };
  TarLimits limits;
  limits.entries = 16;
  limits.bytes = limit;
  TRY_VOID(read_layer(layer, media_type, limits, visit));
  if (!found) return fail(Code::invalid_argument, "layer_invalid", "the layer holds no model");
  if (::fsync(fd.get()) != 0) return std::unexpected(errno_error(errno, "fsync of a model"));
  if (::rename(passing.c_str(), into.c_str()) != 0)
    return std::unexpected(errno_error(errno, "rename to " + into.string()));
  cleanup.armed = false;
  TRY_VOID(sync_directory(into.parent_path()));
  return model;
}

Result<std::string> extract_profile(const fs::path& layer, std::string_view media_type,
                                    const ExtractedModel& model) {
  std::string text;
  const std::string wanted = path_of(model.name, model.version, "profile.json");
  const TarVisitor visit = [&](const TarMember& member, const ByteReader& bytes) -> Result<void> {
    if (member.kind == TarKind::directory) return {};
    if (!text.empty() || member.kind != TarKind::file || member.path != wanted || member.size == 0)
      return fail(Code::invalid_argument, "layer_invalid",
                  "the layer holds '" + member.path + "', and not " + wanted + " alone");
    if (member.size > kMostProfile)
      return fail(Code::too_large,
                  "the layer's profile is larger than " + format_size(kMostProfile));
    text.resize(member.size);
    for (size_t at = 0; at < text.size();) {
      TRY(const size_t count, bytes(std::as_writable_bytes(std::span(text)).subspan(at)));
      if (count == 0) break;
      at += count;
    }
    return {};
  };
  TarLimits limits;
  limits.entries = 16;
  limits.bytes = kMostProfile;
  TRY_VOID(read_layer(layer, media_type, limits, visit));
  if (text.empty())
    return fail(Code::invalid_argument, "layer_invalid", "the layer holds no profile");
  return text;
}

}  // namespace holdfast::oci
