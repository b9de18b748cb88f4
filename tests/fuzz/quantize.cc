// ONNX files that tuning is to make one of 8 bits of: what is written can be read again.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.h"
#include "inference/quantize/rewrite.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Fd file(::memfd_create("fuzz", MFD_CLOEXEC));
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), data, size, 0) != static_cast<ssize_t>(size))
    std::abort();
  const auto model = inference::read_onnx("/proc/self/fd/" + std::to_string(file.get()));
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
