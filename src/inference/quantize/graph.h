// A model's graph, as much of it as quantising asks for. Plain functions over the parsed file.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "onnx.pb.h"

namespace holdfast::inference {

// invalid_argument: it is not one.
Result<onnx::ModelProto> read_onnx(const std::string& path);

// By the name of the value: initialisers, and what Constant makes. They point into the graph.
using Constants = std::map<std::string, const onnx::TensorProto*, std::less<>>;
Constants constants_of(const onnx::GraphProto& graph);

// Row-major. unsupported: it is not float32 in the file itself; invalid_argument: its size lies.
Result<std::vector<float>> floats_of(const onnx::TensorProto& tensor);
uint64_t elements_of(const onnx::TensorProto& tensor);

int64_t int_attribute(const onnx::NodeProto& node, std::string_view name, int64_t otherwise);
float float_attribute(const onnx::NodeProto& node, std::string_view name, float otherwise);

// Of the operators without a domain; 0: none is named.
int64_t operator_set(const onnx::ModelProto& model);
// How often each value is read, by a node or as an output; those inside of nodes count as well.
std::map<std::string, int> uses_of(const onnx::GraphProto& graph);

// Makes `operation` (a reduction) over all of a value an output of the model, a float32 scalar.
void add_reduction(onnx::GraphProto& graph, const char* operation, const std::string& of,
                   const std::string& output);

}  // namespace holdfast::inference
