#include "inference/http/codec.h"

#include <algorithm>

#include "inference/http/json_values.h"
#include "inference/http/tensor_input.h"
#include "inference/local/regions.h"

namespace holdfast::inference {
namespace {

namespace dom = simdjson::dom;

std::unexpected<Error> bad(std::string text) {
  return fail(Code::invalid_argument, std::move(text));
}

// Triton's shared-memory parameters of a tensor.
struct Place {
  std::string_view region;
  uint64_t offset = 0, size = 0;
};

struct Part {
  TensorView view;
  std::optional<uint64_t> binary_size;
  std::optional<Place> place;
  dom::element data;
  bool has_data = false;
};

Result<std::optional<Place>> read_place(const dom::element& element, const std::string& where) {
  Place place;
  const auto parameters = element["parameters"];
  if (parameters["shared_memory_region"].get(place.region) != simdjson::SUCCESS)
    return std::nullopt;
  if (parameters["shared_memory_byte_size"].get(place.size) != simdjson::SUCCESS)
    return bad(where + ": shared_memory_byte_size must be a number of bytes");
  const auto error = parameters["shared_memory_offset"].get(place.offset);
  if (error != simdjson::SUCCESS && error != simdjson::NO_SUCH_FIELD)
    return bad(where + ": shared_memory_offset must be a number of bytes");
  return place;
}

Result<Part> read_input(const dom::element& element, InferRequest& request, bool shared) {
  Part part;
  std::string_view name, datatype;
  dom::array shape;
  if (element["name"].get(name) != simdjson::SUCCESS) return bad("an input has no name");
  request.names.emplace_back(name);
  part.view.name = request.names.back();
  const std::string where = "input '" + std::string(name) + "'";
  if (element["datatype"].get(datatype) != simdjson::SUCCESS)
    return bad(where + " has no datatype");
  TRY(part.view.type, parse_datatype(datatype));
  if (element["shape"].get(shape) != simdjson::SUCCESS) return bad(where + " has no shape");
  for (const dom::element item : shape) {
    int64_t size = 0;
    if (item.get(size) != simdjson::SUCCESS || part.view.shape.size() == 16)
      return bad(where + " has a shape that is no list of numbers");
    part.view.shape.push_back(size);
  }
  uint64_t binary = 0;
  const auto parameter = element["parameters"]["binary_data_size"];
  if (parameter.error() == simdjson::SUCCESS) {
    if (parameter.get(binary) != simdjson::SUCCESS)
      return bad(where + ": binary_data_size must be a number of bytes");
    part.binary_size = binary;
  }
  part.has_data = element["data"].get(part.data) == simdjson::SUCCESS;
  if (shared) {
    TRY(part.place, read_place(element, where));
    if (part.has_data == part.place.has_value())
      return bad(where + " must have either data or a shared_memory_region");
    return part;
  }
  if (part.has_data == part.binary_size.has_value())
    return bad(where + " must have either data or binary_data_size");
  return part;
}

Result<void> read_outputs(const dom::element& root, InferRequest& request,
                          const Signature& signature, bool shared) {
  bool binary = false;
  if (root["parameters"]["binary_data_output"].get(binary) == simdjson::SUCCESS)
    request.binary_output = binary;
  const auto wanted = root["outputs"];
  if (wanted.error() == simdjson::NO_SUCH_FIELD) return {};
  dom::array outputs;
  if (wanted.get(outputs) != simdjson::SUCCESS) return bad("'outputs' must be a list");
  for (const dom::element element : outputs) {
    std::string_view name;
    if (element["name"].get(name) != simdjson::SUCCESS)
      return bad("a requested output has no name");
    const bool known = std::any_of(signature.outputs.begin(), signature.outputs.end(),
                                   [&](const TensorInfo& info) { return info.name == name; });
    if (!known) return bad("the model has no output '" + std::string(name) + "'");
    for (const RequestedOutput& other : request.outputs) {
      if (other.name == name) return bad("output '" + other.name + "' is requested twice");
    }
    RequestedOutput output;
    output.name = std::string(name);
    output.binary = request.binary_output;
    if (element["parameters"]["binary_data"].get(binary) == simdjson::SUCCESS)
      output.binary = binary;
    const auto classes = element["parameters"]["classification"];
    if (classes.error() == simdjson::SUCCESS &&
        (classes.get(output.classes) != simdjson::SUCCESS || output.classes == 0))
      return bad("output '" + output.name + "': classification is a number of classes from 1");
    if (shared) {
      TRY(const auto place, read_place(element, "output '" + output.name + "'"));
      if (place) {
        output.region = std::string(place->region);
        output.offset = place->offset;
        output.room = place->size;
      }
    }
    request.outputs.push_back(std::move(output));
  }
  return {};
}

// A number from 0; absent: 0.
Result<uint64_t> parameter(const dom::element& root, const char* name) {
  uint64_t value = 0;
  const auto error = root["parameters"][name].get(value);
  if (error == simdjson::SUCCESS || error == simdjson::NO_SUCH_FIELD) return value;
  if (root["parameters"].error() != simdjson::SUCCESS) return value;
  return bad("the parameter '" + std::string(name) + "' must be a number from 0");
}

Result<bool> flag(const dom::element& root, const char* name) {
  bool value = false;
  const auto error = root["parameters"][name].get(value);
  if (error == simdjson::SUCCESS || error == simdjson::NO_SUCH_FIELD) return value;
  if (root["parameters"].error() != simdjson::SUCCESS) return value;
  return bad("the parameter '" + std::string(name) + "' must be true or false");
}

// JSON has no bytes: they are base64 in it.
Result<void> from_base64_texts(TensorView& view, InferRequest& request) {
  auto& texts = request.texts.back();
  for (std::string& text : texts) {
    auto bytes = from_base64(text);
    if (!bytes)
      return bad("input '" + std::string(view.name) + "': pictures in JSON are texts of base64");
    text = *std::move(bytes);
  }
  view.texts.assign(texts.begin(), texts.end());
  return {};
}

Result<InferRequest> raw_request(std::string_view body, const Signature& signature) {
  if (signature.inputs.size() != 1) return bad("a raw binary request needs a model with one input");
  const TensorInfo& info = signature.inputs[0];
  InferRequest request;
  request.binary_output = true;
  TensorView view;
  view.name = info.name;
  view.type = info.type;
  view.data = as_bytes(body);
  if (info.type == Datatype::bytes || (info.pictures && looks_like_picture(body))) {
    view.type = Datatype::bytes;
    view.shape = {1};
    view.texts = {body};
    TRY_VOID(check_input(view, signature));
  } else {
    uint64_t known = size_of(info.type);
    int open = 0;
    for (size_t i = 0; i < info.shape.size(); ++i) {
      // The first variable size is the batch, which is one; another is what the body's length says.
      if (info.shape[i] >= 0)
        known *= static_cast<uint64_t>(info.shape[i]);
      else if (i > 0)
        ++open;
      view.shape.push_back(info.shape[i] < 0 && i == 0 ? 1 : info.shape[i]);
    }
    if (open > 1 || known == 0 || body.size() % known != 0)
      return bad("a raw binary request's length does not fit the model's input");
    for (int64_t& size : view.shape)
      size = size < 0 ? static_cast<int64_t>(body.size() / known) : size;
    TRY_VOID(fill_binary(view, body, request.owned));
  }
  request.inputs.push_back(std::move(view));
  return request;
}

}  // namespace

namespace {

// What others may still change is copied before anybody looks at it: a check of it would not hold.
Result<void> fill_shared(TensorView& view, const Place& place, const Regions& regions,
                         InferRequest& request) {
  TRY(const Regions::Stretch stretch, regions.read(place.region, place.offset, place.size));
  if (stretch.constant) return fill_binary(view, as_text(stretch.bytes), request.owned);
  request.owned.emplace_back(stretch.bytes.begin(), stretch.bytes.end());
  return fill_binary(view, as_text(request.owned.back()), request.owned);
}

}  // namespace

Result<InferRequest> read_infer(const dom::element& root, std::string_view binary,
                                const Signature& signature, const Regions* regions) {
  InferRequest request;
  std::string_view id;
  if (const auto error = root["id"].get(id); error == simdjson::SUCCESS)
    request.id = std::string(id);
  else if (error == simdjson::INCORRECT_TYPE)
    return bad("the request must be an object, and its 'id' a text");
  dom::array inputs;
  if (root["inputs"].get(inputs) != simdjson::SUCCESS)
    return bad("the request has no list 'inputs'");
  TRY_VOID(check_count(inputs.size(), signature));
  request.names.reserve(inputs.size());  // views point into the names: they must not move
  for (const dom::element element : inputs) {
    TRY(Part part, read_input(element, request, regions != nullptr));
    TRY_VOID(check_input(part.view, signature));
    for (const TensorView& other : request.inputs) {
      if (other.name == part.view.name)
        return bad("input '" + std::string(other.name) + "' is there twice");
    }
    if (part.place) {
      TRY_VOID(fill_shared(part.view, *part.place, *regions, request));
    } else if (part.binary_size) {
      if (*part.binary_size > binary.size())
        return bad("the binary data is shorter than the inputs say");
      TRY_VOID(fill_binary(part.view, binary.substr(0, *part.binary_size), request.owned));
      binary.remove_prefix(*part.binary_size);
    } else {
      TRY_VOID(fill_json(part.view, part.data, request));
      if (gives_pictures(part.view, signature)) {
        TRY_VOID(from_base64_texts(part.view, request));
      }
    }
    request.inputs.push_back(std::move(part.view));
  }
  if (!binary.empty()) return bad("the binary data is longer than the inputs say");
  TRY_VOID(read_outputs(root, request, signature, regions != nullptr));
  TRY(request.timeout_us, parameter(root, "timeout"));
  TRY(request.timing, flag(root, "timing"));
  TRY(const uint64_t priority, parameter(root, "priority"));
  request.priority = static_cast<unsigned>(std::min<uint64_t>(priority, UINT32_MAX));
  return request;
}

uint64_t memory_of(const InferRequest& request) {
  uint64_t sum = 0;
  for (const Bytes& bytes : request.owned) sum += bytes.size();
  for (const auto& texts : request.texts) {
    sum += texts.size() * sizeof(std::string);
    for (const std::string& text : texts) sum += text.size();
  }
  for (const TensorView& input : request.inputs)
    sum += input.texts.size() * sizeof(std::string_view);
  return sum;
}

Result<InferRequest> parse_infer(std::string_view body, std::optional<uint64_t> json_size,
                                 const Signature& signature, const Regions* regions) {
  if (json_size && *json_size == 0) return raw_request(body, signature);
  if (json_size && *json_size > body.size())
    return bad("Inference-Header-Content-Length is larger than the body");
  const std::string_view json = body.substr(0, json_size.value_or(body.size()));
  JsonDocument document;
  TRY(const dom::element root, document.parse(json));
  return read_infer(root, body.substr(json.size()), signature, regions);
}

}  // namespace holdfast::inference
