#include "inference/quantize/rewrite.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace holdfast::inference {
namespace {

using onnx::NodeProto;
using onnx::TensorProto;

// The first operator set whose scales may be one a channel.
constexpr int64_t kFirstSetWithChannels = 13;
// Of a bias, which is a sum of products: far from where one more product overflows it.
constexpr double kMostBias = 1 << 30;

// Symmetric, so that products need no correction by the weights' zero point.
struct QuantizedWeights {
  std::vector<float> scales;  // one a channel, or one
  std::vector<int8_t> values;
};

class Rewriter {
 public:
  Rewriter(const onnx::ModelProto& model, const Rewrite& how)
      : model_(model),
        graph_(*model_.mutable_graph()),
        how_(how),
        largest_((1 << (how.weight_bits - 1)) - 1),
        by_channel_(operator_set(model) >= kFirstSetWithChannels) {}

  Result<onnx::ModelProto> quantize() {
    google::protobuf::RepeatedPtrField<NodeProto> before;
    before.Swap(graph_.mutable_node());
    auto planned = how_.plan.nodes.begin();
    for (const onnx::ValueInfoProto& input : graph_.input()) read_rounded(input.name());
    for (int i = 0; i < before.size(); ++i) {
      NodeProto node = before[i];
      if (planned != how_.plan.nodes.end() && planned->node == i) {
        TRY_VOID(quantize_weights(node, *planned++));
      }
      redirect(node);
      *graph_.add_node() = std::move(node);
      for (const std::string& output : before[i].output()) read_rounded(output);
    }
    drop_unused();
    return finish();
  }

  Result<onnx::ModelProto> compare() {
    for (const std::string& value : how_.plan.values) read_rounded(value);
    size_t number = 0;
    for (const Weighted& of : how_.plan.nodes) {
      NodeProto node = graph_.node(of.node);
      std::string value = node.output(0);
      TRY_VOID(quantize_weights(node, of));
      redirect(node);
      std::string noisy = add_copy(std::move(node));
      if (of.activation >= 0) {
        NodeProto activation = graph_.node(of.activation);
        value = activation.output(0);
        activation.set_input(0, noisy);
        noisy = add_copy(std::move(activation));
      }
      if (const Grid* grid = grid_of(value)) noisy = add_rounding(noisy, *grid);
      add_noise_outputs(graph_, value, noisy, number++);
    }
    return finish();
  }

 private:
  std::string new_name() { return "holdfast." + std::to_string(names_++); }

  template <class T>
  std::string add_constant(TensorProto::DataType type, const std::vector<T>& values,
                           const std::vector<int64_t>& dims) {
    TensorProto& tensor = made_.emplace_back();
    tensor.set_name(new_name());
    tensor.set_data_type(type);
    tensor.mutable_dims()->Add(dims.begin(), dims.end());
    tensor.set_raw_data(values.data(), values.size() * sizeof(T));
    return tensor.name();
  }

  // Returns the output's name.
  std::string add_node(const char* operation, std::initializer_list<std::string> inputs,
                       std::optional<int64_t> axis = std::nullopt) {
    NodeProto& node = *graph_.add_node();
    node.set_op_type(operation);
    node.set_name(new_name());
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(new_name());
    if (axis) {
      onnx::AttributeProto& attribute = *node.add_attribute();
      attribute.set_name("axis");
      attribute.set_type(onnx::AttributeProto::INT);
      attribute.set_i(*axis);
    }
    return node.output(0);
  }

  std::string add_copy(NodeProto node) {
    node.set_name(new_name());
    node.set_output(0, new_name());
    *graph_.add_node() = node;
    return node.output(0);
  }

  // The 256 places of a value's own range, one of them zero.
  struct Grid {
    float scale = 0;
    std::string factor, origin;  // constants
  };
  // nullptr: the value stays as it is.
  const Grid* grid_of(const std::string& value) {
    if (const auto there = grids_.find(value); there != grids_.end()) return &there->second;
    const auto range = how_.ranges.find(value);
    if (range == how_.ranges.end() || !how_.plan.values.contains(value)) return nullptr;
    const auto [least, most] = range->second;
    Grid grid{.scale = static_cast<float>((most - least) / 255)};
    if (grid.scale < std::numeric_limits<float>::min()) return nullptr;  // always zero, or nearly
    const auto zero = static_cast<uint8_t>(std::clamp(std::round(-least / grid.scale), 0.0, 255.0));
    grid.factor = add_constant(TensorProto::FLOAT, std::vector{grid.scale}, {});
    grid.origin = add_constant(TensorProto::UINT8, std::vector{zero}, {});
    return &(grids_[value] = std::move(grid));
  }
  std::string add_rounding(const std::string& value, const Grid& grid) {
    const std::string small = add_node("QuantizeLinear", {value, grid.factor, grid.origin});
    return add_node("DequantizeLinear", {small, grid.factor, grid.origin});
  }
  // Who reads the value from now on reads it from its grid.
  void read_rounded(const std::string& value) {
    if (const Grid* grid = grid_of(value)) read_as_[value] = add_rounding(value, *grid);
  }
  void redirect(NodeProto& node) const {
    for (std::string& input : *node.mutable_input()) {
      if (const auto read = read_as_.find(input); read != read_as_.end()) input = read->second;
    }
  }

  Result<void> quantize_weights(NodeProto& node, const Weighted& of) {
    const Grid* input = grid_of(node.input(0));
    if (input == nullptr) return {};
    // The same weights for several nodes; a bias can change their scales.
    const bool alone = of.bias.empty();
    if (const auto there = shared_.find({of.weights, of.axis}); alone && there != shared_.end()) {
      node.set_input(1, there->second);
      return {};
    }
    const TensorProto& tensor = *how_.constants.find(of.weights)->second;
    TRY(const std::vector<float> weights, floats_of(tensor));
    std::vector<float> bias;
    if (!alone) {
      TRY(bias, floats_of(*how_.constants.find(of.bias)->second));
    }
    const auto finite = [](float value) { return std::isfinite(value); };
    if (!std::ranges::all_of(weights, finite) || !std::ranges::all_of(bias, finite)) return {};
    const QuantizedWeights made = rounded(weights, tensor, of, bias, input->scale);
    const auto exact = [&](float scale) { return std::isnormal(scale * input->scale); };
    if (!std::ranges::all_of(made.scales, exact)) return {};  // too small or too large for a float
    std::vector<int64_t> channels;  // a scalar's, where one scale is for all
    if (by_channel_) channels.push_back(of.channels);
    const std::string small =
        add_constant(TensorProto::INT8, made.values, {tensor.dims().begin(), tensor.dims().end()});
    const std::string factors = add_constant(TensorProto::FLOAT, made.scales, channels);
    const std::string zeros =
        add_constant(TensorProto::INT8, std::vector<int8_t>(made.scales.size()), channels);
    node.set_input(1, add_node("DequantizeLinear", {small, factors, zeros}, axis_of(of.axis)));
    if (alone) {
      shared_[{of.weights, of.axis}] = node.input(1);
      return {};
    }
    // In the scale of the products, so that it is added to their sums as it is.
    std::vector<float> scales = made.scales;
    for (float& scale : scales) scale *= input->scale;
    std::vector<int32_t> sums;
    sums.reserve(bias.size());
    for (size_t i = 0; i < bias.size(); ++i)
      sums.push_back(static_cast<int32_t>(std::lround(bias[i] / scales[by_channel_ ? i : 0])));
    const std::string whole = add_constant(TensorProto::INT32, sums, {of.channels});
    const std::string sum_factors = add_constant(TensorProto::FLOAT, scales, channels);
    node.set_input(2, add_node("DequantizeLinear", {whole, sum_factors}, axis_of(0)));
    return {};
  }
  std::optional<int64_t> axis_of(int64_t axis) const {
    return by_channel_ ? std::optional(axis) : std::nullopt;
  }

  QuantizedWeights rounded(const std::vector<float>& weights, const TensorProto& tensor,
                           const Weighted& of, const std::vector<float>& bias,
                           float input_scale) const {
    uint64_t inner = 1;  // neighbours of one channel
    for (int i = static_cast<int>(of.axis) + 1; i < tensor.dims_size(); ++i)
      inner *= static_cast<uint64_t>(tensor.dims(i));
    const auto channel_of = [&](size_t at) {
      return by_channel_ ? at / inner % static_cast<uint64_t>(of.channels) : 0;
    };
    QuantizedWeights out;
    out.scales.resize(by_channel_ ? of.channels : 1);
    for (size_t i = 0; i < weights.size(); ++i) {
      float& most = out.scales[channel_of(i)];
      most = std::max(most, std::abs(weights[i]));
    }
    for (float& scale : out.scales)
      scale = std::max((scale > 0 ? scale : 1.0f) / largest_, std::numeric_limits<float>::min());
    for (size_t i = 0; i < bias.size(); ++i) {
      const double needed = std::abs(bias[i]) / (kMostBias * input_scale);
      float& scale = out.scales[by_channel_ ? i : 0];
      scale = std::max(scale, static_cast<float>(needed));
    }
    out.values.reserve(weights.size());
    for (size_t i = 0; i < weights.size(); ++i) {
      const float value = std::round(weights[i] / out.scales[channel_of(i)]);
      const auto most = static_cast<float>(largest_);
      out.values.push_back(static_cast<int8_t>(std::clamp(value, -most, most)));
    }
    return out;
  }

  // The float32 weights, where nobody reads them any more.
  void drop_unused() {
    const auto uses = uses_of(graph_);
    const auto unused = [&uses](const TensorProto& tensor) {
      return !uses.contains(tensor.name());
    };
    auto& tensors = *graph_.mutable_initializer();
    tensors.erase(std::remove_if(tensors.begin(), tensors.end(), unused), tensors.end());
    auto& nodes = *graph_.mutable_node();
    const auto idle = [&uses](const NodeProto& node) {
      return node.op_type() == "Constant" && node.output_size() == 1 &&
             !uses.contains(node.output(0));
    };
    nodes.erase(std::remove_if(nodes.begin(), nodes.end(), idle), nodes.end());
  }

  onnx::ModelProto finish() {
    for (TensorProto& tensor : made_) *graph_.add_initializer() = std::move(tensor);
    return std::move(model_);
  }

  onnx::ModelProto model_;
  onnx::GraphProto& graph_;
  const Rewrite& how_;
  const int largest_;
  const bool by_channel_;
  size_t names_ = 0;
  std::vector<TensorProto> made_;
  std::map<std::string, Grid> grids_;
  std::map<std::pair<std::string, int64_t>, std::string> shared_;  // weights read back, by axis
  std::map<std::string, std::string> read_as_;  // what is read in a value's place
};

}  // namespace

Result<onnx::ModelProto> quantized(const onnx::ModelProto& model, const Rewrite& how) {
  return Rewriter(model, how).quantize();
}

Result<onnx::ModelProto> compared(const onnx::ModelProto& model, const Rewrite& how) {
  return Rewriter(model, how).compare();
}

}  // namespace holdfast::inference
