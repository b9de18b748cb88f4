// ONNX files that tuning is to make one of 8 bits of: what is written can be read again.
#include "inference/quantize/rewrite.h"

#include <cstdlib>

#include "memory_file.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto model = inference::read_onnx(memory_file(data, size));
  if (!model) return 0;
  const inference::Constants constants = inference::constants_of(model->graph());
  auto nodes = inference::weighted_nodes(*model, constants);
  if (!nodes) return 0;
  const inference::Plan plan = inference::plan_quantizing(model->graph(), std::move(*nodes));
  std::map<std::string, inference::Range> ranges;
  for (const std::string& value : plan.values) ranges[value] = {.least = -1, .most = 3};
  const inference::Rewrite how{plan, ranges, constants};
  for (const auto& made : {inference::quantized(*model, how), inference::compared(*model, how)}) {
    holdfast::onnx::ModelProto again;
    if (made && !again.ParseFromString(made->SerializeAsString())) std::abort();
  }
  return 0;
}
