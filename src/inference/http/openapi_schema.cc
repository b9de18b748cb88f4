#include "inference/http/openapi_schema.h"

#include <simdjson.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "inference/http/codec.h"
#include "inference/input.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;

constexpr size_t kMaxLevels = 16;  // as the doors have it

json::object integer(int64_t least, int64_t most) {
  return {{"type", "integer"}, {"minimum", least}, {"maximum", most}};
}

json::object number(OpenApi form, const char* format, Way way) {
  json::object out = {{"type", "number"}};
  if (*format != 0) out["format"] = format;
  if (way == Way::asked) return out;
  if (form == OpenApi::v3_1)
    out["type"] = json::array{"number", "null"};
  else
    out[form == OpenApi::v3_0 ? "nullable" : "x-nullable"] = true;
  return out;
}

json::object element_schema(OpenApi form, Datatype type, Way way) {
  switch (type) {
    case Datatype::boolean:
      return {{"type", "boolean"}};
    case Datatype::uint8:
      return integer(0, UINT8_MAX);
    case Datatype::uint16:
      return integer(0, UINT16_MAX);
    case Datatype::uint32:
      return integer(0, UINT32_MAX);
    case Datatype::uint64:
      return {{"type", "integer"}, {"minimum", 0}, {"maximum", UINT64_MAX}};
    case Datatype::int8:
      return integer(INT8_MIN, INT8_MAX);
    case Datatype::int16:
      return integer(INT16_MIN, INT16_MAX);
    case Datatype::int32:
      return {{"type", "integer"}, {"format", "int32"}};
    case Datatype::int64:
      return {{"type", "integer"}, {"format", "int64"}};
    case Datatype::fp16:
      return number(form, "", way);
    case Datatype::fp32:
      return number(form, "float", way);
    case Datatype::fp64:
      return number(form, "double", way);
    case Datatype::bytes:
      return {{"type", "string"}};
  }
  return {};
}

json::object text_of(json::array allowed) {
  return {{"type", "string"}, {"enum", std::move(allowed)}};
}

json::object list_of(json::object items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}

void fix_length(json::object& list, uint64_t length) {
  list["minItems"] = length;
  list["maxItems"] = length;
}

json::object shape_schema(OpenApi form, const std::vector<int64_t>& shape) {
  const json::object any = {{"type", "integer"}, {"minimum", 0}};
  json::object out = list_of(any);
  fix_length(out, shape.size());
  if (std::ranges::none_of(shape, [](int64_t size) { return size < 0; })) {
    out["enum"] = json::array();
    out["enum"].as_array().push_back(json::array(shape.begin(), shape.end()));
  } else if (form == OpenApi::v3_1) {
    json::array sizes;
    for (int64_t size : shape) sizes.push_back(size < 0 ? any : json::object{{"const", size}});
    out["prefixItems"] = std::move(sizes);
  }
  return out;
}

std::string described(const TensorInfo& info) {
  return std::string(to_string(info.type)) + " " + shape_text(info.shape);
}

json::object pictures_schema(const TensorInfo& info) {
  json::object properties = {
      {"name", text_of({clean_text(info.name)})},
      {"datatype", text_of({"BYTES"})},
      {"shape",
       {{"type", "array"}, {"minItems", 1}, {"maxItems", 2}, {"items", {{"type", "integer"}}}}},
      {"data", list_of({})},
      {"parameters", {{"type", "object"}}}};
  return {{"type", "object"},
          {"description", "PNG or JPEG files, base64 in JSON; shape [n] or [n,1]"},
          {"required", {"name", "datatype", "shape"}},
          {"properties", std::move(properties)}};
}

// The sizes of the warm-up.
std::vector<int64_t> least_shape(const TensorInfo& info) {
  std::vector<int64_t> out = info.shape;
  std::ranges::replace_if(out, [](int64_t size) { return size < 0; }, 1);
  return out;
}

bool exemplary(const Loaded& loaded) {
  uint64_t all = 0;
  for (const TensorInfo& info : loaded.model->signature().inputs) {
    const auto count = element_count(least_shape(info));
    if (!count || *count > kMostExample || info.shape.size() > kMaxLevels) return false;
    if (info.type == Datatype::fp16) return false;
    all += *count;
  }
  return loaded.takes_zeros && all <= kMostExample;
}

json::value zero_of(Datatype type) {
  if (type == Datatype::bytes) return "";
  if (type == Datatype::boolean) return false;
  return 0;
}

json::value zeros(const TensorInfo& info, const std::vector<int64_t>& shape, size_t level) {
  if (level == shape.size()) return zero_of(info.type);
  json::array out;
  for (int64_t i = 0; i < shape[level]; ++i) out.push_back(zeros(info, shape, level + 1));
  return out;
}

}  // namespace

json::string clean_text(std::string_view text) {
  return json::parse(json_text(text)).as_string();
}

json::object tensor_schema(OpenApi form, const TensorInfo& info, Way way) {
  const bool binary_only = way == Way::asked && info.type == Datatype::fp16;
  json::object properties = {{"name", text_of({clean_text(info.name)})},
                             {"datatype", text_of({std::string(to_string(info.type))})},
                             {"shape", shape_schema(form, info.shape)}};
  json::object element = element_schema(form, info.type, way);
  if (way == Way::answered)
    properties["data"] = list_of(std::move(element));
  else if (!binary_only)  // flat, or nested like the shape
    properties["data"] =
        list_of(form == OpenApi::v2_0
                    ? json::object()
                    : json::object{{"anyOf", json::array{std::move(element), list_of({})}}});
  properties["parameters"] = {{"type", "object"}};
  json::array required = {"name", "datatype", "shape"};
  if (way == Way::answered) required.push_back("data");
  if (binary_only) required.push_back("parameters");
  return {{"type", "object"},
          {"description", described(info) + (binary_only ? "; as binary data only" : "")},
          {"required", std::move(required)},
          {"properties", std::move(properties)}};
}

json::object tensors_schema(OpenApi form, const std::vector<TensorInfo>& infos, Way way) {
  json::array each, names;
  std::string all;
  for (const TensorInfo& info : infos) {
    names.push_back(clean_text(info.name));
    all += (all.empty() ? "" : "; ") + std::string(clean_text(info.name)) + ": " + described(info);
    each.push_back(tensor_schema(form, info, way));
    if (info.pictures && way == Way::asked) each.push_back(pictures_schema(info));
  }
  json::object items;
  if (each.size() == 1) {
    items = std::move(each[0].as_object());
  } else if (form != OpenApi::v2_0 && !each.empty()) {
    items = {{"anyOf", std::move(each)}};
  } else if (!each.empty()) {
    items = {{"type", "object"},
             {"required", {"name", "datatype", "shape"}},
             {"properties",
              {{"name", text_of(std::move(names))},
               {"datatype", {{"type", "string"}}},
               {"shape", list_of({{"type", "integer"}})},
               {"data", list_of({})},
               {"parameters", {{"type", "object"}}}}}};
  }
  json::object out = list_of(std::move(items));
  if (!all.empty()) out["description"] = all;
  if (way == Way::asked) out["minItems"] = infos.size();  // an answer has those that are wanted
  out["maxItems"] = infos.size();
  return out;
}

json::object nested_schema(OpenApi form, const TensorInfo& info, Way way) {
  json::object out = element_schema(form, info.type, way);
  for (size_t level = info.shape.size(); level-- > 0;) {
    out = list_of(std::move(out));
    const int64_t size = info.shape[level];
    if (size >= 0)
      fix_length(out, static_cast<uint64_t>(size));
    else if (level == 0 && way == Way::asked)
      out["minItems"] = 1;
  }
  return out;
}

json::object outputs_schema(OpenApi form, const Signature& signature) {
  if (signature.outputs.size() == 1) {
    json::object out = nested_schema(form, signature.outputs[0], Way::answered);
    out["description"] = described(signature.outputs[0]);
    return out;
  }
  json::object properties;
  json::array required;
  for (const TensorInfo& info : signature.outputs) {
    json::object each = nested_schema(form, info, Way::answered);
    each["description"] = described(info);
    required.push_back(clean_text(info.name));
    properties[clean_text(info.name)] = std::move(each);
  }
  json::object out = {{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) out["required"] = std::move(required);
  return out;
}

bool scored(const Signature& signature) {
  if (signature.inputs.size() != 1) return false;
  const TensorInfo& info = signature.inputs[0];
  return info.type != Datatype::fp16 && !info.shape.empty() && info.shape.size() <= kMaxLevels;
}

std::optional<json::object> infer_example(const Loaded& loaded) {
  if (!exemplary(loaded)) return std::nullopt;
  json::array inputs;
  for (const TensorInfo& info : loaded.model->signature().inputs) {
    if (!simdjson::validate_utf8(info.name.data(), info.name.size())) return std::nullopt;
    const auto shape = least_shape(info);
    inputs.push_back(
        json::object{{"name", info.name},
                     {"datatype", std::string(to_string(info.type))},
                     {"shape", json::array(shape.begin(), shape.end())},
                     {"data", json::array(*element_count(shape), zero_of(info.type))}});
  }
  return json::object{{"inputs", std::move(inputs)}};
}

std::optional<json::object> score_example(const Loaded& loaded) {
  if (!scored(loaded.model->signature()) || !exemplary(loaded)) return std::nullopt;
  const TensorInfo& info = loaded.model->signature().inputs[0];
  const auto shape = least_shape(info);
  if (*element_count(shape) == 0) return std::nullopt;
  return json::object{{"data", zeros(info, shape, 0)}};
}

}  // namespace holdfast::inference
