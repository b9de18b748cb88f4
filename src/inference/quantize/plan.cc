#include "inference/quantize/plan.h"

#include <algorithm>
#include <map>
#include <optional>

namespace holdfast::inference {
namespace {

using onnx::NodeProto;

// The first operator set with QuantizeLinear.
constexpr int64_t kFirstSet = 10;

bool is_any(std::string_view what, std::initializer_list<std::string_view> of) {
  return std::ranges::find(of, what) != of.end();
}

bool quantized_already(const std::string& operation) {
  return operation.starts_with("QLinear") || operation.ends_with("Integer") ||
         is_any(operation, {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"});
}

// What an engine can do in integers where all that it reads is in integers.
bool passes_on(const std::string& operation) {
  return is_any(operation, {"Add", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat"});
}

const onnx::TensorProto* weights_at(const NodeProto& node, int input, const Constants& constants) {
  if (node.input_size() <= input) return nullptr;
  const auto found = constants.find(node.input(input));
  const bool fit = found != constants.end() &&
                   found->second->data_type() == onnx::TensorProto::FLOAT &&
                   found->second->data_location() == 0 && elements_of(*found->second) > 0;
  return fit ? found->second : nullptr;
}

std::optional<Weighted> weighted(const NodeProto& node, const Constants& constants) {
  const onnx::TensorProto* weights = weights_at(node, 1, constants);
  if (!node.domain().empty() || weights == nullptr || constants.contains(node.input(0)))
    return std::nullopt;
  Weighted out{.weights = node.input(1)};
  const std::string& operation = node.op_type();
  if (operation == "Conv" && weights->dims_size() >= 3) {
    out.axis = 0;
  } else if (operation == "MatMul" && weights->dims_size() == 2) {
    out.axis = 1;
  } else if (operation == "Gemm" && weights->dims_size() == 2 &&
             int_attribute(node, "transA", 0) == 0 && float_attribute(node, "alpha", 1) == 1 &&
             float_attribute(node, "beta", 1) == 1) {
    out.axis = int_attribute(node, "transB", 0) == 0 ? 1 : 0;
  } else {
    return std::nullopt;
  }
  out.channels = weights->dims(static_cast<int>(out.axis));
  if (node.input_size() > 2 && !node.input(2).empty()) {
    const onnx::TensorProto* bias = weights_at(node, 2, constants);
    // A product's may have a size of 1 before.
    if (bias == nullptr || bias->dims_size() == 0 || *bias->dims().rbegin() != out.channels ||
        elements_of(*bias) != static_cast<uint64_t>(out.channels))
      return std::nullopt;
    out.bias = node.input(2);
  }
  return out;
}

// Where the values of a graph are read.
class Readers {
 public:
  explicit Readers(const onnx::GraphProto& graph) : graph_(graph), uses_(uses_of(graph)) {
    for (int i = 0; i < graph.node_size(); ++i) {
      for (const std::string& input : graph.node(i).input()) readers_[input] = i;
    }
  }

  // The place of the activation that a kernel ends with, where nobody else reads what it had
  // before; -1: there is none.
  int activation_of(const NodeProto& node) const {
    const std::string& output = node.output(0);
    const auto reader = readers_.find(output);
    if (reader == readers_.end() || uses_.at(output) != 1) return -1;
    const NodeProto& next = graph_.node(reader->second);
    const bool joined = is_any(next.op_type(), {"Relu", "Clip"}) && next.input(0) == output;
    return joined ? reader->second : -1;
  }
  const std::string& result_of(const NodeProto& node) const {
    const int activation = activation_of(node);
    return activation < 0 ? node.output(0) : graph_.node(activation).output(0);
  }

 private:
  const onnx::GraphProto& graph_;
  const std::map<std::string, int> uses_;
  std::map<std::string, int, std::less<>> readers_;  // the last
};

}  // namespace

Result<std::vector<Weighted>> weighted_nodes(const onnx::ModelProto& model,
                                             const Constants& constants) {
  std::vector<Weighted> out;
  const auto& nodes = model.graph().node();
  for (int i = 0; i < nodes.size(); ++i) {
    if (quantized_already(nodes[i].op_type()))
      return fail(Code::unsupported, "it is quantised as it is");
    if (auto found = weighted(nodes[i], constants)) {
      found->node = i;
      out.push_back(std::move(*found));
    }
  }
  if (out.empty())
    return fail(Code::unsupported, "it has no convolution or product with float32 weights");
  if (const int64_t set = operator_set(model); set < kFirstSet)
    return fail(Code::unsupported, "its operators are of set " + std::to_string(set) +
                                       "; quantising needs " + std::to_string(kFirstSet));
  return out;
}

Plan plan_quantizing(const onnx::GraphProto& graph, std::vector<Weighted> nodes) {
  const Readers readers(graph);
  Plan plan{.nodes = std::move(nodes)};
  for (Weighted& of : plan.nodes) {
    const NodeProto& node = graph.node(of.node);
    plan.values.insert(node.input(0));
    // A product's sums are added to something next; a convolution's are scaled at once.
    if (node.op_type() == "MatMul") continue;
    of.activation = readers.activation_of(node);
    plan.values.insert(readers.result_of(node));
  }
  // A graph is in order, so that what a node reads has been decided.
  for (const NodeProto& node : graph.node()) {
    const auto in_integers = [&plan](const std::string& input) {
      return plan.values.contains(input);
    };
    if (node.domain().empty() && passes_on(node.op_type()) &&
        std::ranges::all_of(node.input(), in_integers))
      plan.values.insert(readers.result_of(node));
  }
  return plan;
}

}  // namespace holdfast::inference
