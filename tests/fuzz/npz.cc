// Files of samples, .npz and .npy.
#include "inference/measure/npz.h"

#include <cstdlib>

#include "memory_file.h"

using namespace holdfast;

namespace {

void check(const inference::Tensor& tensor) {
  uint64_t count = 1;
  for (const int64_t length : tensor.shape) count *= static_cast<uint64_t>(length);
  if (tensor.data.size() != count * inference::size_of(tensor.type)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string path = memory_file(data, size);
  if (const auto arrays = inference::read_npz(path))
    for (const inference::Tensor& tensor : *arrays) check(tensor);
  if (const auto array = inference::read_npy(path)) check(*array);
  return 0;
}
