#include "inference/quantize/graph.h"

#include <algorithm>
#include <cstring>

#include "base/files.h"

namespace holdfast::inference {
namespace {

constexpr uint64_t kLargestFile = INT32_MAX;  // protobuf's own limit

void count_uses(const onnx::GraphProto& graph, std::map<std::string, int>& uses) {
  for (const onnx::NodeProto& node : graph.node()) {
    for (const std::string& input : node.input()) ++uses[input];
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (attribute.has_g()) count_uses(attribute.g(), uses);
      for (const onnx::GraphProto& inner : attribute.graphs()) count_uses(inner, uses);
    }
  }
  for (const onnx::ValueInfoProto& output : graph.output()) ++uses[output.name()];
}

const onnx::AttributeProto* attribute_of(const onnx::NodeProto& node, std::string_view name) {
  const auto found = std::ranges::find(node.attribute(), name, &onnx::AttributeProto::name);
  return found == node.attribute().end() ? nullptr : &*found;
}

}  // namespace

Result<onnx::ModelProto> read_onnx(const std::string& path) {
  TRY(const std::string bytes, read_file(path, kLargestFile));
  onnx::ModelProto model;
  const auto empty = [](const onnx::NodeProto& node) { return node.output().empty(); };
  if (!model.ParseFromString(bytes) || !model.has_graph() ||
      std::ranges::any_of(model.graph().node(), empty))
    return fail(Code::invalid_argument, "not an ONNX model");
  return model;
}

Constants constants_of(const onnx::GraphProto& graph) {
  Constants out;
  for (const onnx::TensorProto& tensor : graph.initializer()) out[tensor.name()] = &tensor;
  for (const onnx::NodeProto& node : graph.node()) {
    const onnx::AttributeProto* value = attribute_of(node, "value");
    if (node.op_type() == "Constant" && value != nullptr && value->has_t() &&
        node.output_size() == 1)
      out[node.output(0)] = &value->t();
  }
  return out;
}

uint64_t elements_of(const onnx::TensorProto& tensor) {
  uint64_t count = 1;
  for (const int64_t size : tensor.dims())
    count = size < 0 || size > INT32_MAX || count > INT32_MAX ? UINT64_MAX : count * size;
  return count;
}

Result<std::vector<float>> floats_of(const onnx::TensorProto& tensor) {
  if (tensor.data_type() != onnx::TensorProto::FLOAT || tensor.data_location() != 0)
    return fail(Code::unsupported, "'" + tensor.name() + "' is not float32 in the file");
  const uint64_t count = elements_of(tensor);
  const std::string& raw = tensor.raw_data();
  if (static_cast<uint64_t>(tensor.float_data_size()) == count && raw.empty())
    return std::vector<float>(tensor.float_data().begin(), tensor.float_data().end());
  if (raw.size() % sizeof(float) != 0 || raw.size() / sizeof(float) != count)
    return fail(Code::invalid_argument, "'" + tensor.name() + "' has another size than it says");
  std::vector<float> out(count);
  if (count > 0) std::memcpy(out.data(), raw.data(), raw.size());
  return out;
}

int64_t int_attribute(const onnx::NodeProto& node, std::string_view name, int64_t otherwise) {
  const onnx::AttributeProto* found = attribute_of(node, name);
  return found != nullptr && found->has_i() ? found->i() : otherwise;
}

float float_attribute(const onnx::NodeProto& node, std::string_view name, float otherwise) {
  const onnx::AttributeProto* found = attribute_of(node, name);
  return found != nullptr && found->has_f() ? found->f() : otherwise;
}

int64_t operator_set(const onnx::ModelProto& model) {
  for (const onnx::OperatorSetIdProto& set : model.opset_import()) {
    if (set.domain().empty() || set.domain() == "ai.onnx") return set.version();
  }
  return 0;
}

std::map<std::string, int> uses_of(const onnx::GraphProto& graph) {
  std::map<std::string, int> uses;
  count_uses(graph, uses);
  return uses;
}

void add_reduction(onnx::GraphProto& graph, const char* operation, const std::string& of,
                   const std::string& output) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(operation);
  node.add_input(of);
  node.add_output(output);
  onnx::AttributeProto& keep = *node.add_attribute();
  keep.set_name("keepdims");
  keep.set_type(onnx::AttributeProto::INT);
  keep.set_i(0);
  onnx::ValueInfoProto& info = *graph.add_output();
  info.set_name(output);
  info.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  info.mutable_type()->mutable_tensor_type()->mutable_shape();  // of no sizes
}

}  // namespace holdfast::inference
