// What runs of a model show of its inner values: between what they lie, and how noisy 8 bits make
// them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "inference/batch.h"
#include "inference/quantize/graph.h"

namespace holdfast::inference {

struct Range {
  double least = 0, most = 0;  // with zero, which has to be exact
};
using Values = std::set<std::string, std::less<>>;

// Makes the least and the largest of each value outputs of the model.
void add_range_outputs(onnx::ModelProto& model, const Values& values);
// Of such a model over all requests. A value that was not finite once is missing.
Result<std::map<std::string, Range>> ranges_over(Model& model, const Values& values,
                                                 const std::vector<Inputs>& requests);

// Makes the mean squares of the value, and of what a noisy one is off by, outputs of the model.
void add_noise_outputs(onnx::GraphProto& graph, const std::string& value, const std::string& noisy,
                       size_t number);
// Of such a model, of the numbers below `count`: noise to signal. What is not finite is infinite.
Result<std::vector<double>> noises_over(Model& model, size_t count,
                                        const std::vector<Inputs>& requests);

}  // namespace holdfast::inference
