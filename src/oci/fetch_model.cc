#include "oci/fetch_model.h"

#include <algorithm>

#include "base/files.h"

namespace holdfast::oci {

Task<Result<FetchedModel>> fetch_model(RegistryClient& registry, Reference image, Digest layer,
                                       std::filesystem::path directory, BlockingPool& pool) {
  CO_TRY(const FetchedManifest fetched, co_await registry.manifest(image));
  const auto& layers = fetched.manifest.layers;
  const auto wanted = std::ranges::find_if(layers, [&layer](const Descriptor& one) {
    return layer.empty() ? one.annotations.contains(label::kDigest) : one.digest == layer;
  });
  if (wanted == layers.end())
    co_return fail(Code::invalid_argument, "the image " + image.str() + " has no model layer" +
                                               (layer.empty() ? std::string() : " " + layer.str()));
  FetchedModel model;
  model.image = fetched.descriptor.digest;
  model.layer = *wanted;
  model.labels = fetched.manifest.annotations;
  model.onnx = directory / "model.onnx";
  CO_TRY_VOID(make_directories(directory));
  const std::filesystem::path file = directory / "layer";
  CO_TRY_VOID(co_await registry.fetch_blob(image.name, model.layer, file));
  auto extract = [&file, &model] {
    return extract_model(file, model.layer.media_type, model.onnx);
  };
  CO_TRY(model.model, co_await pool.run(extract));
  const auto promised = model.layer.annotations.find(label::kDigest);
  if (promised != model.layer.annotations.end() && promised->second != model.model.onnx.str())
    co_return fail(Code::invalid_argument, "layer_invalid",
                   "the layer's model is " + model.model.onnx.str() + ", and its manifest says " +
                       promised->second);
  const auto profile = std::ranges::find_if(
      layers, [](const Descriptor& one) { return one.annotations.contains(label::kProfile); });
  if (profile == layers.end()) co_return model;
  const std::filesystem::path second = directory / "profile";
  CO_TRY_VOID(co_await registry.fetch_blob(image.name, *profile, second));
  auto read = [&second, &profile, &model] {
    return extract_profile(second, profile->media_type, model.model);
  };
  CO_TRY(model.profile, co_await pool.run(read));
  if (Digest::sha256(as_bytes(model.profile)).str() != profile->annotations.at(label::kProfile))
    co_return fail(Code::invalid_argument, "layer_invalid",
                   "the layer's profile is not the one that its manifest names");
  co_return model;
}

}  // namespace holdfast::oci
