// The image of every registered model version: built once where the version holds an ONNX model,
// with the profile of its training data where profile.json lies beside that, and found again by any
// of its digests.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "ml/artifacts.h"
#include "ml/models.h"
#include "net/wake.h"
#include "registry/model_images.h"

namespace holdfast::training {

struct BuiltImage {
  std::string model;
  int64_t version = 0;
  std::string reference;  // "models/digits@sha256:…"; empty: none, for the reason `error`
  std::string manifest, layer, onnx;  // "sha256:…"; `layer` is what a device fetches
  uint64_t layer_size = 0;            // bytes
  uint64_t pushed = 0;                // bytes that the registry did not have before
  std::string error;
  WallTime built;
};

// Common failures: not_found, unavailable, internal. Any thread may call, run() one task alone.
class ModelBuilds {
 public:
  using Publish =
      std::function<Task<Result<registry::PublishedImage>>(oci::ModelDescription, ByteSource&)>;
  // Migrates the component "training" of the database that ml is in. All must outlive it.
  static Result<std::unique_ptr<ModelBuilds>> open(store::Database& database, ml::Models& models,
                                                   ml::Artifacts& artifacts, Publish publish,
                                                   const Clock& clock);

  // Builds what is not built, in the order of registration, until cancelled. A failure that may
  // pass holds the ones behind it.
  Task<void> run();
  void wake() { wake_.notify(); }  // a version was registered
  // Called after each version that was looked at; must not block. Set before run().
  void on_built(std::function<void()> call) { on_built_ = std::move(call); }

  // nullopt: not looked at yet.
  Task<Result<std::optional<BuiltImage>>> find(std::string model, int64_t version);
  // Where this is the digest of the image, of its model layer or of its model.onnx; newest first.
  Task<Result<std::vector<BuiltImage>>> by_digest(std::string digest);

 private:
  ModelBuilds(store::Database& database, ml::Models& models, ml::Artifacts& artifacts,
              Publish publish, const Clock& clock)
      : database_(database),
        models_(models),
        artifacts_(artifacts),
        publish_(std::move(publish)),
        clock_(clock) {}
  Task<Result<bool>> build_next();
  Task<Result<BuiltImage>> build(const ml::ModelVersion& version);
  Task<Result<std::string>> profile_of(std::string file);  // "": it is too large
  Task<Result<void>> record(BuiltImage image, int64_t sequence);

  store::Database& database_;
  ml::Models& models_;
  ml::Artifacts& artifacts_;
  Publish publish_;
  const Clock& clock_;
  Wake wake_;
  std::function<void()> on_built_;
};

}  // namespace holdfast::training
