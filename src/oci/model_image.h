// The OCI image of a model: the runtime layer that all models share, a layer with the model alone,
// and one with the profile of its training data where there is such, in the layout that
// holdfast-serve reads. Built without a daemon, the same bytes for the same model. Blocking: run on
// a pool.
#pragma once

#include <optional>

#include "oci/runtime_layer.h"

namespace holdfast::oci {

struct ModelDescription {
  std::string name;  // as holdfast-serve takes it
  int64_t version = 0;
  std::string run;   // of the tracking server; "" where there is none
  std::string data;  // "ASSET:VERSION" that it learned from; "" where there is none
  std::string
      created;  // RFC 3339: when the model version was registered, not when the image is made
  std::string profile;  // the text of profile.json (`holdfast model profile`); "": there is none
};

namespace label {
inline constexpr const char* kModel = "dev.holdfast.model";
inline constexpr const char* kVersion = "dev.holdfast.version";
inline constexpr const char* kRun = "dev.holdfast.run";
inline constexpr const char* kData = "dev.holdfast.data";
inline constexpr const char* kDigest = "dev.holdfast.digest";  // "sha256:…" of model.onnx
// Of the layer with profile.json: its "sha256:…".
inline constexpr const char* kProfile = "dev.holdfast.profile";
}  // namespace label

inline constexpr uint64_t kMostProfile = 16 << 20;  // bytes; holdfast-serve takes no larger one

struct ModelImage {
  Layer runtime, model;
  std::optional<Layer> profile;
  Digest onnx;                   // of model.onnx
  std::string config, manifest;  // JSON as it is pushed
  Descriptor config_descriptor, manifest_descriptor;
};

// The repository of a model: "models/digits". A name that OCI does not take is changed to one that
// it takes, with a part of its hash, so that no two models share one.
std::string model_repository(std::string_view model);

// The model layer's file is written at `into`, that of the profile beside it. invalid_argument: a
// name or version that holdfast-serve does not take; what reading `onnx` fails with; cancelled:
// `stop` was requested.
Result<ModelImage> build_model_image(const ModelDescription& description,
                                     const std::filesystem::path& onnx, const RuntimeLayer& runtime,
                                     const std::filesystem::path& into, std::stop_token stop = {});

struct ExtractedModel {
  std::string name;
  int64_t version = 0;
  Digest onnx;
  uint64_t size = 0;
};
// The model.onnx of a model layer, durable at `into`. invalid_argument "layer_invalid": damaged, or
// it holds another thing than one model; too_large: over `limit` unpacked.
Result<ExtractedModel> extract_model(const std::filesystem::path& layer,
                                     std::string_view media_type, const std::filesystem::path& into,
                                     uint64_t limit = 16ull << 30);

// The profile.json of such a layer, of this model. invalid_argument "layer_invalid": damaged, or it
// holds another thing; too_large: over kMostProfile.
Result<std::string> extract_profile(const std::filesystem::path& layer, std::string_view media_type,
                                    const ExtractedModel& model);

}  // namespace holdfast::oci
