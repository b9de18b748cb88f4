#include <cmath>
#include <limits>

#include "inference/capture.h"
#include "inference/http/codec.h"

// What a captured request looks like.
namespace holdfast::inference {
namespace {

template <class T>
double number_at(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return static_cast<double>(value);
}

std::optional<double> number_of(Datatype type, const std::byte* at) {
  switch (type) {
    case Datatype::boolean:
    case Datatype::uint8:
      return number_at<uint8_t>(at);
    case Datatype::uint16:
      return number_at<uint16_t>(at);
    case Datatype::uint32:
      return number_at<uint32_t>(at);
    case Datatype::uint64:
      return number_at<uint64_t>(at);
    case Datatype::int8:
      return number_at<int8_t>(at);
    case Datatype::int16:
      return number_at<int16_t>(at);
    case Datatype::int32:
      return number_at<int32_t>(at);
    case Datatype::int64:
      return number_at<int64_t>(at);
    case Datatype::fp32:
      return number_at<float>(at);
    case Datatype::fp64:
      return number_at<double>(at);
    case Datatype::fp16:
    case Datatype::bytes:
      break;
  }
  return std::nullopt;
}

std::string number_text(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

void append_tensor(std::string& out, const Tensor& tensor, const std::string& summary) {
  out += "{\"name\":" + json_text(tensor.name) + ",\"datatype\":\"";
  out += to_string(tensor.type);
  out += "\",\"shape\":[";
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    (out += i > 0 ? "," : "") += std::to_string(tensor.shape[i]);
  out += ']';
  if (!summary.empty()) {
    out += ",\"summary\":" + summary + "}";
    return;
  }
  if (!check_json_form(tensor)) {  // JSON has no bytes
    out += ",\"data_base64\":[";
    for (size_t i = 0; i < tensor.texts.size(); ++i)
      ((out += i > 0 ? ",\"" : "\"") += base64(as_bytes(tensor.texts[i]))) += '"';
    out += "]}";
    return;
  }
  out += ",\"data\":[";
  const size_t count = tensor.type == Datatype::bytes ? tensor.texts.size()
                                                      : tensor.data.size() / size_of(tensor.type);
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    append_element(out, tensor, i);
  }
  out += "]}";
}

}  // namespace

std::string summary_of(const TensorView& tensor) {
  if (tensor.type == Datatype::bytes) {
    uint64_t bytes = 0;
    for (const std::string_view text : tensor.texts) bytes += text.size();
    return "{\"count\":" + std::to_string(tensor.texts.size()) +
           ",\"bytes\":" + std::to_string(bytes) + "}";
  }
  const size_t size = size_of(tensor.type), all = tensor.data.size() / size;
  double least = std::numeric_limits<double>::infinity(), most = -least, sum = 0;
  uint64_t finite = 0;
  for (size_t i = 0; i < all; ++i) {
    const auto value = number_of(tensor.type, tensor.data.data() + i * size);
    if (!value || !std::isfinite(*value)) continue;
    least = std::min(least, *value);
    most = std::max(most, *value);
    sum += *value;
    ++finite;
  }
  std::string out = "{\"count\":" + std::to_string(all);
  if (finite > 0)
    out += ",\"min\":" + number_text(least) + ",\"max\":" + number_text(most) +
           ",\"mean\":" + number_text(sum / static_cast<double>(finite));
  return out + "}";
}

std::string line_of(const Captured& captured) {
  std::string data = "[";
  for (size_t i = 0; i < captured.tensors.size(); ++i) {
    if (i > 0) data += ',';
    append_tensor(data, captured.tensors[i], captured.summaries[i]);
  }
  data += ']';
  const std::string version = std::to_string(captured.version), size = std::to_string(data.size());
  // What `data` is made of: the collector's own clients name a table of pandas here.
  constexpr const char* kKind = "open-inference-protocol.tensors";
  return R"({"specversion":"1.0","id":")" + captured.id + R"(","source":"/models/)" +
         captured.model + "/versions/" + version + R"(","type":"azureml.inference.model_)" +
         (captured.input ? "inputs" : "outputs") +
         R"(","datacontenttype":"application/json","time":")" + captured.time + R"(","data":)" +
         data + R"(,"contentrange":"bytes 0-)" + std::to_string(data.size() - 1) + "/" + size +
         R"(","correlationid":")" + captured.correlation + R"(","xrequestid":)" +
         json_text(captured.request_id.empty() ? captured.correlation : captured.request_id) +
         R"(,"modelversion":")" + version + R"(","collectdatatype":")" + kKind + R"(","agent":)" +
         json_text(captured.agent) + R"(,"modelname":)" + json_text(captured.model) +
         R"(,"modeldigest":")" + captured.digest + '"' +
         (captured.run.empty() ? "" : R"(,"modelrun":)" + json_text(captured.run)) + '}';
}

}  // namespace holdfast::inference
