// What the edge does with the image of a model: it fetches the model layer, and the profile's where
// there is one.
#pragma once

#include "oci/model_image.h"
#include "oci/registry_client.h"

namespace holdfast::oci {

struct FetchedModel {
  ExtractedModel model;
  Digest image;                // of the manifest
  Descriptor layer;            // what was moved
  Annotations labels;          // the manifest's annotations: label::kRun, label::kData, …
  std::filesystem::path onnx;  // <directory>/model.onnx
  std::string profile;         // the text of profile.json; "": the image has none
};

// Fetches manifest and model layer of `image` into `directory` (made where it is not there), checks
// every digest, and unpacks model.onnx. `layer` empty: the layer that the manifest marks as the
// model's. The layers' files stay in the directory, so that a repeated call moves nothing. As
// RegistryClient, and: invalid_argument: the manifest has no such layer, or a layer is not one
// model, or not its profile.
Task<Result<FetchedModel>> fetch_model(RegistryClient& registry, Reference image, Digest layer,
                                       std::filesystem::path directory, BlockingPool& pool);

}  // namespace holdfast::oci
