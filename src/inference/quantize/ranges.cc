#include "inference/quantize/ranges.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

namespace holdfast::inference {
namespace {

constexpr std::string_view kLeast = "least", kMost = "most", kNoise = "noise", kPower = "power";

std::string output_name(std::string_view which, size_t number) {
  return "holdfast." + std::string(which) + std::to_string(number);
}

Result<double> scalar_of(const Tensor& tensor) {
  float value = 0;
  if (tensor.data.size() != sizeof value)
    return fail(Code::internal, "'" + tensor.name + "' is not one number");
  std::memcpy(&value, tensor.data.data(), sizeof value);
  return value;
}

using Take = std::function<void(size_t number, double first, double second)>;

// Runs the model for two scalars of each of `count` things, and gives them to `take`.
Result<void> run_for_pairs(Model& model, const std::vector<Inputs>& requests, size_t count,
                           std::string_view first, std::string_view second, const Take& take) {
  std::vector<std::string> outputs;
  outputs.reserve(2 * count);
  for (size_t i = 0; i < count; ++i) {
    outputs.push_back(output_name(first, i));
    outputs.push_back(output_name(second, i));
  }
  for (const Inputs& request : requests) {
    TRY(const Outputs found, model.run(request, outputs));
    for (size_t i = 0; i < count; ++i) {
      TRY(const double one, scalar_of(found[2 * i]));
      TRY(const double other, scalar_of(found[2 * i + 1]));
      take(i, one, other);
    }
  }
  return {};
}

}  // namespace

void add_range_outputs(onnx::ModelProto& model, const Values& values) {
  size_t number = 0;
  for (const std::string& value : values) {
    add_reduction(*model.mutable_graph(), "ReduceMin", value, output_name(kLeast, number));
    add_reduction(*model.mutable_graph(), "ReduceMax", value, output_name(kMost, number));
    ++number;
  }
}

Result<std::map<std::string, Range>> ranges_over(Model& model, const Values& values,
                                                 const std::vector<Inputs>& requests) {
  std::vector<Range> found(values.size());
  const auto take = [&found](size_t number, double least, double most) {
    Range& range = found[number];
    range.least = std::isfinite(least) ? std::min(range.least, least) : NAN;
    range.most = std::isfinite(most) ? std::max(range.most, most) : NAN;
  };
  TRY_VOID(run_for_pairs(model, requests, values.size(), kLeast, kMost, take));
  std::map<std::string, Range> out;
  size_t number = 0;
  for (const std::string& value : values) {
    const Range& range = found[number++];
    if (std::isfinite(range.least) && std::isfinite(range.most)) out[value] = range;
  }
  return out;
}

void add_noise_outputs(onnx::GraphProto& graph, const std::string& value, const std::string& noisy,
                       size_t number) {
  const auto add_node = [&](const char* operation, const std::string& one, const std::string& other,
                            const std::string& output) {
    onnx::NodeProto& node = *graph.add_node();
    node.set_op_type(operation);
    node.add_input(one);
    node.add_input(other);
    node.add_output(output);
    return output;
  };
  const std::string difference = add_node("Sub", value, noisy, output_name("difference", number));
  const std::string square =
      add_node("Mul", difference, difference, output_name("squared_difference", number));
  const std::string power = add_node("Mul", value, value, output_name("square", number));
  add_reduction(graph, "ReduceMean", square, output_name(kNoise, number));
  add_reduction(graph, "ReduceMean", power, output_name(kPower, number));
}

Result<std::vector<double>> noises_over(Model& model, size_t count,
                                        const std::vector<Inputs>& requests) {
  std::vector<double> noise(count), power(count);
  const auto take = [&](size_t number, double of_noise, double of_power) {
    noise[number] += of_noise;
    power[number] += of_power;
  };
  TRY_VOID(run_for_pairs(model, requests, count, kNoise, kPower, take));
  for (size_t i = 0; i < count; ++i) {
    noise[i] /= power[i];
    if (!std::isfinite(noise[i])) noise[i] = INFINITY;
  }
  return noise;
}

}  // namespace holdfast::inference
