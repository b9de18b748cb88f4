// Publishing a model as an image in the hub's own registry: builds it and pushes it, both inside
// this process. One call from a registered model version to an image that can be pulled.
#pragma once

#include <memory>

#include "net/runtime.h"
#include "oci/model_image.h"
#include "registry/registry.h"

namespace holdfast::registry {

struct PublishedImage {
  std::string repository;  // "models/digits"
  oci::Digest manifest;    // the image is REPOSITORY@MANIFEST
  oci::Descriptor layer;   // the model layer: all that a device fetches
  oci::Digest onnx;        // of model.onnx
  uint64_t pushed = 0;     // bytes that were not in the registry before
  std::string reference() const { return repository + "@" + manifest.str(); }
};

struct ModelImagesOptions {
  std::string directory;    // of our own: the runtime layer, and models that are being built
  std::string program;      // holdfast-serve
  std::string onnxruntime;  // libonnxruntime.so.1
};

// Any thread may call.
class ModelImages {
 public:
  // Empties what an earlier process left half built. `registry` must outlive it.
  static Result<std::unique_ptr<ModelImages>> open(ModelImagesOptions options, Registry& registry);

  // The image of this model version, with the tag VERSION, and latest on the highest; there whole
  // or not at all, and durable when it returns. A version does not change: the same bytes again
  // answer with the image that is there (so a call may be repeated after any failure or kill),
  // others are conflict "version_exists" (or "tag_exists", where both came at once).
  // invalid_argument: not a name or version that can be served; too_large: the model is over 16
  // GiB; not_found: the program or a library of it is not there; cancelled: stop().
  Task<Result<PublishedImage>> publish(oci::ModelDescription description, ByteSource& onnx);

  // Builds the runtime layer where it is not kept already, so that the first publish() is fast.
  Task<Result<void>> prepare();

  // Ends what is being built, within a piece of a file, and whatever is begun from now on:
  // cancelled. Nothing half built stays.
  void stop() { stop_.request_stop(); }

 private:
  ModelImages(ModelImagesOptions options, Registry& registry);
  Task<Result<oci::RuntimeLayer>> runtime();
  Task<Result<std::optional<PublishedImage>>> there(const oci::ModelDescription& description,
                                                    const std::filesystem::path& onnx);
  Task<Result<uint64_t>> push(const std::string& repository, const oci::Layer& layer);

  const ModelImagesOptions options_;
  Registry& registry_;
  std::stop_source stop_;
  BlockingPool pool_;
  std::optional<oci::RuntimeLayer> runtime_;  // the pool's thread alone
};

}  // namespace holdfast::registry
