// Files of samples, .npz and .npy.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.h"
#include "inference/measure/npz.h"

using namespace holdfast;

namespace {

void check(const inference::Tensor& tensor) {
  uint64_t count = 1;
  for (const int64_t length : tensor.shape) count *= static_cast<uint64_t>(length);
  if (tensor.data.size() != count * inference::size_of(tensor.type)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Fd file(::memfd_create("fuzz", MFD_CLOEXEC));
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), data, size, 0) != static_cast<ssize_t>(size))
    std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  if (const auto arrays = inference::read_npz(path))
    for (const inference::Tensor& tensor : *arrays) check(tensor);
  if (const auto array = inference::read_npy(path)) check(*array);
  return 0;
}
