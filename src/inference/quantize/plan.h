// What of a model is to run in 8 bits.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "inference/quantize/graph.h"

namespace holdfast::inference {

// A node that multiplies by weights which are known.
struct Weighted {
  int node = 0;                    // its place in the graph
  std::string weights, bias;       // names of constants; no bias: empty
  int64_t axis = 0, channels = 0;  // of the weights: what each output channel has of its own
  // The place of the Relu or Clip that is joined with it; -1: none is.
  int activation = -1;
};

struct Plan {
  std::vector<Weighted> nodes;
  // The values that flow between in 8 bits, as the graph names them.
  std::set<std::string, std::less<>> values;
};

// All that can be, in their order in the graph. unsupported: nothing can, or it is quantised.
// `constants` of that model.
Result<std::vector<Weighted>> weighted_nodes(const onnx::ModelProto& model,
                                             const Constants& constants);
// What follows where these are, in the same order.
Plan plan_quantizing(const onnx::GraphProto& graph, std::vector<Weighted> nodes);

}  // namespace holdfast::inference
