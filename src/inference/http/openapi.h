// Documents that describe the doors of a model: Swagger 2.0, OpenAPI 3.0.3, 3.1.0. Their size is
// linear in the model's signature, with an example of at most kMostExample elements.
#pragma once

#include "inference/http/openapi_schema.h"

namespace holdfast::inference {

// "2", "3", "3.1", as Azure ML's server calls them, and "2.0", "3.0". not_found, as there.
Result<OpenApi> parse_openapi(std::string_view version);

struct Described {
  const Loaded& loaded;
  bool named = false;   // its version (infer_document) or its name (score_document), by the request
  bool tokens = false;  // whether the doors ask for them
};

// /, /score and /swagger.json. A model that /score does not take is described without it.
boost::json::object score_document(OpenApi form, const Described& of);
// /v2/models/NAME[/versions/N]: metadata, /ready, /infer, /openapi.json. Pictures too, where they
// are decoded for the model.
boost::json::object infer_document(OpenApi form, const Described& of);

}  // namespace holdfast::inference
