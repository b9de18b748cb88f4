// Schemas and examples of a model's tensors, for the documents of openapi.h.
#pragma once

#include <boost/json/object.hpp>
#include <optional>

#include "inference/loaded.h"

namespace holdfast::inference {

enum class OpenApi { v2_0, v3_0, v3_1 };  // Swagger 2.0, OpenAPI 3.0.3 and 3.1.0

enum class Way { asked, answered };  // what is not finite is null in an answer

// A tensor of the Open Inference Protocol. 2.0 and 3.0 cannot say every shape: then the description
// alone does.
boost::json::object tensor_schema(OpenApi form, const TensorInfo& info, Way way);
// A list of such; each its own schema, which 2.0 cannot say.
boost::json::object tensors_schema(OpenApi form, const std::vector<TensorInfo>& infos, Way way);
// Lists nested like the shape, as /score has them.
boost::json::object nested_schema(OpenApi form, const TensorInfo& info, Way way);
boost::json::object outputs_schema(OpenApi form, const Signature& signature);  // as write_rows()

// Whether /score can take it: one input, which has lists and a JSON form.
bool scored(const Signature& signature);

// What the model has been warmed up with, so that it works: zeros and empty texts, free sizes as 1.
// nullopt: it refused them, or they would be more than kMostExample elements, or have no JSON form.
inline constexpr uint64_t kMostExample = 1024;
std::optional<boost::json::object> infer_example(const Loaded& loaded);
std::optional<boost::json::object> score_example(const Loaded& loaded);

// Where it is not UTF-8, as json_text() has it.
boost::json::string clean_text(std::string_view text);

}  // namespace holdfast::inference
