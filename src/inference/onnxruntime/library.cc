#include "inference/onnxruntime/library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "inference/onnxruntime/onnxruntime_engine.h"

namespace holdfast::inference {
namespace {

// By our names; the processor's is always there.
struct Provider {
  std::string_view device, name;
};
constexpr Provider kProviders[] = {{"cpu", "CPUExecutionProvider"},
                                   {"cuda", "CUDAExecutionProvider"},
                                   {"tensorrt_rtx", "NvTensorRTRTXExecutionProvider"}};

std::vector<std::string> places_to_look() {
  std::vector<std::string> places;
  if (const char* given = std::getenv("HOLDFAST_ONNXRUNTIME")) places.emplace_back(given);
  char self[4096];
  if (const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self); size > 0) {
    const std::string_view program(self, static_cast<size_t>(size));
    places.push_back(std::string(program.substr(0, program.rfind('/'))) +
                     "/../lib/libonnxruntime.so.1");
  }
  places.emplace_back(HOLDFAST_ONNXRUNTIME_LIBRARY);
  places.emplace_back("libonnxruntime.so.1");
  return places;
}

}  // namespace

namespace onnxruntime {

Result<void> open_library() {
  void* library = nullptr;
  std::string tried;
  for (const std::string& place : places_to_look()) {
    library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
    tried += (tried.empty() ? "" : ", ") + place;
  }
  if (library == nullptr)
    return fail(Code::unavailable, "ONNX Runtime is not found (looked at " + tried +
                                       "); run scripts/setup or set HOLDFAST_ONNXRUNTIME");
  const auto base = reinterpret_cast<const OrtApiBase* (*)()>(::dlsym(library, "OrtGetApiBase"));
  const OrtApi* api = base != nullptr ? base()->GetApi(ORT_API_VERSION) : nullptr;
  if (api == nullptr)
    return fail(Code::unavailable, "this ONNX Runtime is older than the program needs");
  Ort::InitApi(api);
  return {};
}

// Sums as the model names them: by itself CUDA would round products to 10 bits. What a device does
// not know runs on the processor.
void use_device(Ort::SessionOptions& options, std::string_view device) {
  if (device == "tensorrt_rtx") options.AppendExecutionProvider("NvTensorRtRtx", {});
  if (device != "cuda") return;
  OrtCUDAProviderOptionsV2* cuda = nullptr;
  Ort::ThrowOnError(Ort::GetApi().CreateCUDAProviderOptions(&cuda));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, void (*)(OrtCUDAProviderOptionsV2*)> owned(
      cuda, Ort::GetApi().ReleaseCUDAProviderOptions);
  const char* key = "use_tf32";
  const char* no = "0";
  Ort::ThrowOnError(Ort::GetApi().UpdateCUDAProviderOptions(cuda, &key, &no, 1));
  options.AppendExecutionProvider_CUDA_V2(*cuda);
}

}  // namespace onnxruntime

std::string onnxruntime_library() {
  for (const std::string& place : places_to_look()) {
    if (::access(place.c_str(), R_OK) == 0) return place;
  }
  return {};
}

Result<std::vector<std::string>> onnxruntime_devices() {
  TRY_VOID(onnxruntime::open_library());
  const std::vector<std::string> names = Ort::GetAvailableProviders();
  std::vector<std::string> out;
  for (const auto& [device, name] : kProviders) {
    if (std::ranges::find(names, name) != names.end()) out.emplace_back(device);
  }
  return out;
}

}  // namespace holdfast::inference
