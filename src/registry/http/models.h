// The hub's own way to an image of a model: PUT the ONNX file, get the image's name.
#pragma once

#include "net/http/router.h"
#include "registry/model_images.h"

namespace holdfast::registry {

// PUT /api/v1/registry/models/{name}/{version}?run=&data= with model.onnx as the body → 201 and
// {"image","repository","version","digest","layer":{"digest","size"},"onnx","pushed"}; 200 where it
// was there already. Lifts the router's limit of bodies there. All must outlive the router.
void mount_models(http::Router& router, ModelImages& images, const Clock& clock);

}  // namespace holdfast::registry
