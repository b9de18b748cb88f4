#include "inference/openvino/openvino_engine.h"

#include <algorithm>

#include "base/cores.h"
#include "inference/openvino/openvino_api.h"
#include "inference/openvino/openvino_model.h"

namespace holdfast::inference {
namespace {

using openvino::Api;
using openvino::own;
using openvino::Owned;

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

class OpenVinoEngine final : public Engine {
 public:
  OpenVinoEngine(const Api& api, Owned<ov_core_t> core, OpenVinoOptions options)
      : api_(api), core_(std::move(core)), options_(options) {}
  std::string_view platform() const override { return kOpenVinoPlatform; }

  Result<std::unique_ptr<Model>> load(const std::string& path) override {
    const auto read = [&](ov_model_t** model) {
      return api_.ov_core_read_model(core_.get(), path.c_str(), nullptr, model);
    };
    auto model = own(api_, api_.ov_model_free, read);
    if (!model) return std::unexpected(refused(model.error(), path));
    // As many runs side by side as there are cores for; each with its own threads.
    const int cores = static_cast<int>(usable_cores());
    const std::string lanes = std::to_string(std::max(1, cores / options_.threads));
    const std::string threads = std::to_string(std::max(cores, options_.threads));
    std::vector<ov_property_t> properties;
    // On processors with bf16 it would answer in that, and differ from the model as trained.
    if (options_.device != "npu")
      properties.push_back({"INFERENCE_PRECISION_HINT", options_.precision.c_str()});
    if (options_.device == "cpu") {
      properties.push_back({"NUM_STREAMS", lanes.c_str()});
      properties.push_back({"INFERENCE_NUM_THREADS", threads.c_str()});
      // It would pin its threads over those of the requests.
      properties.push_back({"ENABLE_CPU_PINNING", "NO"});
    }
    const std::string device = upper(options_.device);
    const auto compile = [&](ov_compiled_model_t** compiled) {
      return api_.ov_core_compile_model_props(core_.get(), model->get(), device.c_str(),
                                              properties.size(), properties.data(), compiled);
    };
    auto compiled = own(api_, api_.ov_compiled_model_free, compile);
    if (!compiled) return std::unexpected(refused(compiled.error(), path));
    return openvino::make_model(api_, std::move(*compiled));
  }

 private:
  // The caller knows which file it sent; where it lies here is nobody's business.
  static Error refused(const Error& error, const std::string& path) {
    std::string why = error.message();
    for (size_t at = 0; (at = why.find(path, at)) != std::string::npos;)
      why.replace(at, path.size(), "the file");
    return Error(Code::invalid_argument, "", "not a usable model for OpenVINO: " + why);
  }

  const Api& api_;
  Owned<ov_core_t> core_;
  OpenVinoOptions options_;
};

}  // namespace

std::string openvino_libraries() {
  return openvino::libraries();
}

Result<std::vector<std::string>> openvino_devices() {
  TRY(const Api* api, openvino::api());
  TRY(const auto core, own(*api, api->ov_core_free, api->ov_core_create));
  ov_available_devices_t found{};
  if (api->ov_core_get_available_devices(core.get(), &found) != ov_status_e::OK)
    return fail(Code::unavailable, api->last_error());
  std::vector<std::string> out;
  for (const char* device : {"cpu", "gpu", "npu"}) {
    // Of several of a kind it says "GPU.0", "GPU.1".
    const auto is_one = [&](const char* name) {
      return std::string_view(name).starts_with(upper(device));
    };
    if (std::any_of(found.devices, found.devices + found.size, is_one)) out.emplace_back(device);
  }
  api->ov_available_devices_free(&found);
  return out;
}

Result<std::unique_ptr<Engine>> open_openvino(OpenVinoOptions options) {
  TRY(const Api* api, openvino::api());
  if (options.device != "cpu") {
    TRY(const auto devices, openvino_devices());
    if (std::ranges::find(devices, options.device) == devices.end())
      return fail(Code::unavailable, "OpenVINO finds no '" + options.device + "' here");
  }
  TRY(auto core, own(*api, api->ov_core_free, api->ov_core_create));
  return std::unique_ptr<Engine>(new OpenVinoEngine(*api, std::move(core), options));
}

}  // namespace holdfast::inference
