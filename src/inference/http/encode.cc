#include <simdjson.h>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "inference/http/codec.h"

namespace holdfast::inference {
namespace {

constexpr size_t kApart = 32 << 10;  // bytes; fewer are copied more quickly than sent by themselves

template <class T>
void append_number(std::string& out, const std::byte* at) {
  T value{};
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) {
      out += "null";
      return;
    }
  }
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}

float half_to_float(uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const int fraction = half & 1023;
  const float sign = (half & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) return fraction != 0 ? std::nanf("") : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
}

void append_shape(std::string& out, const std::vector<int64_t>& shape) {
  out += '[';
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(shape[i]);
  }
  out += ']';
}

void append_binary(std::string& out, const Tensor& tensor) {
  if (tensor.type != Datatype::bytes) {
    out.append(as_text(tensor.data));
    return;
  }
  for (const std::string& text : tensor.texts) {
    const auto size = static_cast<uint32_t>(text.size());
    out.append(reinterpret_cast<const char*>(&size), 4);
    out += text;
  }
}

size_t binary_size(const Tensor& tensor) {
  if (tensor.type != Datatype::bytes) return tensor.data.size();
  size_t size = 0;
  for (const std::string& text : tensor.texts) size += 4 + text.size();
  return size;
}

}  // namespace

std::string json_text(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char sign) {
    const auto byte = static_cast<unsigned char>(sign);
    return byte >= 0x20 && byte < 0x7f && sign != '"' && sign != '\\';
  });
  if (plain) {
    std::string out;
    out.reserve(text.size() + 2);
    ((out += '"') += text) += '"';
    return out;
  }
  boost::json::string clean(text);
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    for (char& sign : clean) sign = static_cast<unsigned char>(sign) < 0x80 ? sign : '?';
  }
  return boost::json::serialize(boost::json::value(std::move(clean)));
}

Result<void> check_json_form(const Tensor& tensor) {
  for (const std::string& text : tensor.texts) {
    if (!simdjson::validate_utf8(text.data(), text.size()))
      return fail(Code::unsupported, "output '" + tensor.name +
                                         "' holds bytes that are not UTF-8, which JSON cannot "
                                         "carry; ask for binary data");
  }
  return {};
}

void append_element(std::string& out, const Tensor& tensor, size_t index) {
  if (tensor.type == Datatype::bytes) {
    out += json_text(tensor.texts[index]);
    return;
  }
  const std::byte* at = tensor.data.data() + index * size_of(tensor.type);
  switch (tensor.type) {
    case Datatype::boolean:
      out += *at != std::byte{0} ? "true" : "false";
      break;
    case Datatype::uint8:
      append_number<uint8_t>(out, at);
      break;
    case Datatype::uint16:
      append_number<uint16_t>(out, at);
      break;
    case Datatype::uint32:
      append_number<uint32_t>(out, at);
      break;
    case Datatype::uint64:
      append_number<uint64_t>(out, at);
      break;
    case Datatype::int8:
      append_number<int8_t>(out, at);
      break;
    case Datatype::int16:
      append_number<int16_t>(out, at);
      break;
    case Datatype::int32:
      append_number<int32_t>(out, at);
      break;
    case Datatype::int64:
      append_number<int64_t>(out, at);
      break;
    case Datatype::fp32:
      append_number<float>(out, at);
      break;
    case Datatype::fp64:
      append_number<double>(out, at);
      break;
    case Datatype::fp16: {
      uint16_t half = 0;
      std::memcpy(&half, at, 2);
      const float value = half_to_float(half);
      append_number<float>(out, reinterpret_cast<const std::byte*>(&value));
      break;
    }
    case Datatype::bytes:
      break;
  }
}

namespace {

void append_elements(std::string& out, const Tensor& tensor) {
  const size_t count = tensor.type == Datatype::bytes ? tensor.texts.size()
                                                      : tensor.data.size() / size_of(tensor.type);
  out += '[';
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    append_element(out, tensor, i);
  }
  out += ']';
}

}  // namespace

Result<InferBody> write_infer(const Loaded& loaded, const InferRequest& request,
                              const std::vector<Tensor>& outputs, bool apart) {
  InferBody body;
  std::string& json = body.bytes;
  json.reserve(1024);
  const auto add = [&json](const auto&... parts) { (json.append(parts), ...); };
  add(R"({"model_name":")", loaded.name, R"(","model_version":")", std::to_string(loaded.version),
      "\"");
  if (!request.id.empty()) add(R"(,"id":)", json_text(request.id));
  add(R"(,"parameters":{"model_digest":")", loaded.digest, "\"");
  if (!loaded.run.empty()) add(R"(,"model_run":)", json_text(loaded.run));
  if (request.stages) {
    for (const auto& [name, us] : *request.stages) add(",\"", name, R"(_us":)", std::to_string(us));
  }
  add(R"(},"outputs":[)");
  std::vector<size_t> binary;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& tensor = outputs[i];
    const bool as_binary =
        request.outputs.empty() ? request.binary_output : request.outputs[i].binary;
    add(i > 0 ? "," : "", R"({"name":)", json_text(tensor.name), R"(,"datatype":")",
        to_string(tensor.type), R"(","shape":)");
    append_shape(json, tensor.shape);
    const bool placed = !request.outputs.empty() && !request.outputs[i].region.empty();
    if (placed) {
      const RequestedOutput& at = request.outputs[i];
      add(R"(,"parameters":{"shared_memory_region":)", json_text(at.region),
          R"(,"shared_memory_offset":)", std::to_string(at.offset),
          R"(,"shared_memory_byte_size":)", std::to_string(at.stored), "}");
    } else if (as_binary) {
      binary.push_back(i);
      add(R"(,"parameters":{"binary_data_size":)", std::to_string(binary_size(tensor)), "}");
    } else {
      TRY_VOID(check_json_form(tensor));
      add(R"(,"data":)");
      append_elements(json, tensor);
    }
    add("}");
  }
  add("]}");
  if (binary.empty()) return body;
  body.json_size = json.size();
  if (apart && outputs[binary.back()].data.size() >= kApart) {
    body.tail = binary.back();
    binary.pop_back();
  }
  for (const size_t i : binary) append_binary(json, outputs[i]);
  return body;
}

}  // namespace holdfast::inference
