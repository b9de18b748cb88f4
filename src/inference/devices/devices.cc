#include "inference/devices/devices.h"

#include <unistd.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/files.h"
#include "inference/onnxruntime/onnxruntime_engine.h"
#include "inference/openvino/openvino_engine.h"

namespace holdfast::inference {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNvidia = "NVIDIA GPU";
constexpr const char* kIntelGpu = "Intel GPU";
constexpr const char* kIntelNpu = "Intel NPU";
constexpr std::string_view kIntel = "0x8086";  // the PCI vendor

// Names of one folder, in order.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    out.push_back(entry.path().filename().string());
  std::ranges::sort(out);
  return out;
}

bool is_of_intel(const fs::path& device) {
  const auto vendor = read_file(device / "device/vendor", 64);
  return vendor && std::string_view(*vendor).starts_with(kIntel);
}

// Empty: this process may use it.
std::string no_access(const fs::path& root, const std::string& node) {
  const fs::path path = root / fs::path(node).relative_path();
  if (::access(path.c_str(), F_OK) != 0) return node + " is not there";
  if (::access(path.c_str(), R_OK | W_OK) != 0)
    return "no access to " + node + "; add the user to the group that owns it";
  return {};
}

using Devices = Result<std::vector<std::string>>;

std::string missing(const Devices& devices, const std::string& wanted, const char* library,
                    const char* remedy) {
  if (!devices) return devices.error().message();
  if (std::ranges::find(*devices, wanted) != devices->end()) return {};
  return std::string(library) + " has no '" + wanted + "'; " + remedy;
}

}  // namespace

std::vector<Accelerator> accelerators(const fs::path& root) {
  const size_t of_nvidia = names_in(root / "proc/driver/nvidia/gpus").size();
  std::vector<Accelerator> out;
  out.reserve(of_nvidia);
  for (size_t i = 0; i < of_nvidia; ++i)
    out.push_back({kNvidia, "/dev/nvidia" + std::to_string(i)});
  for (const std::string& name : names_in(root / "sys/class/drm")) {
    if (name.starts_with("renderD") && is_of_intel(root / "sys/class/drm" / name))
      out.push_back({kIntelGpu, "/dev/dri/" + name});
  }
  for (const std::string& name : names_in(root / "sys/class/accel")) {
    if (is_of_intel(root / "sys/class/accel" / name))
      out.push_back({kIntelNpu, "/dev/accel/" + name});
  }
  return out;
}

std::vector<Offer> offers(const fs::path& root) {
  std::vector<Offer> out;
  for (const Accelerator& found : accelerators(root)) {
    const std::string closed = no_access(root, found.node);
    if (found.name == kNvidia) {
      const auto devices = onnxruntime_devices();
      for (const char* device : {"cuda", "tensorrt_rtx"}) {
        const std::string why_not = closed.empty()
                                        ? missing(devices, device, "this ONNX Runtime",
                                                  "set HOLDFAST_ONNXRUNTIME to a build with it")
                                        : closed;
        out.push_back({found.name, "onnxruntime", device, why_not});
      }
      continue;
    }
    const std::string device = found.name == kIntelGpu ? "gpu" : "npu";
    const std::string why_not = closed.empty() ? missing(openvino_devices(), device, "OpenVINO",
                                                         "install the device's user-space driver")
                                               : closed;
    out.push_back({found.name, "openvino", device, why_not});
  }
  return out;
}

std::vector<Tuning> candidates_of(const Offer& offer, bool reduced_precision) {
  std::vector<Tuning> out;
  Tuning tuning;
  tuning.engine = offer.engine;
  tuning.device = offer.device;
  for (const char* precision : {"f32", "f16"}) {
    const bool half = std::string_view(precision) == "f16";
    const bool able = half ? offer.engine == "openvino" : offer.device != "npu";
    if (!able || (half && !reduced_precision)) continue;
    tuning.precision = precision;
    for (const unsigned lanes : {1U, 2U}) {  // the next request's copies while one runs
      tuning.lanes = lanes;
      out.push_back(tuning);
    }
  }
  return out;
}

}  // namespace holdfast::inference
