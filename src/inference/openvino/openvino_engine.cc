#include "inference/openvino/openvino_engine.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/cores.h"
#include "inference/openvino/openvino_api.h"

namespace holdfast::inference {
namespace {

using openvino::Api;
using openvino::own;
using openvino::Owned;

constexpr std::pair<ov_element_type_e, Datatype> kTypes[] = {
    {ov_element_type_e::OV_BOOLEAN, Datatype::boolean}, {ov_element_type_e::U8, Datatype::uint8},
    {ov_element_type_e::U16, Datatype::uint16},         {ov_element_type_e::U32, Datatype::uint32},
    {ov_element_type_e::U64, Datatype::uint64},         {ov_element_type_e::I8, Datatype::int8},
    {ov_element_type_e::I16, Datatype::int16},          {ov_element_type_e::I32, Datatype::int32},
    {ov_element_type_e::I64, Datatype::int64},          {ov_element_type_e::F16, Datatype::fp16},
    {ov_element_type_e::F32, Datatype::fp32},           {ov_element_type_e::F64, Datatype::fp64}};

Result<Datatype> from_openvino(ov_element_type_e type) {
  for (const auto& [theirs, ours] : kTypes) {
    if (theirs == type) return ours;
  }
  return fail(Code::unsupported, "the model uses a datatype that is not offered");
}

ov_element_type_e to_openvino(Datatype type) {
  for (const auto& [theirs, ours] : kTypes) {
    if (ours == type) return theirs;
  }
  return ov_element_type_e::DYNAMIC;
}

Result<TensorInfo> describe(const Api& api, const ov_output_const_port_t* port) {
  TensorInfo out;
  char* name = nullptr;
  if (api.ov_port_get_any_name(port, &name) != ov_status_e::OK)
    return fail(Code::invalid_argument, api.last_error());
  out.name = name;
  api.ov_free(name);
  ov_element_type_e type = ov_element_type_e::DYNAMIC;
  ov_partial_shape_t shape{};
  if (api.ov_port_get_element_type(port, &type) != ov_status_e::OK ||
      api.ov_port_get_partial_shape(port, &shape) != ov_status_e::OK)
    return fail(Code::invalid_argument, api.last_error());
  const bool ranked = shape.rank.min == shape.rank.max;
  for (int64_t i = 0; ranked && i < shape.rank.max; ++i)
    out.shape.push_back(shape.dims[i].min == shape.dims[i].max ? shape.dims[i].max : -1);
  api.ov_partial_shape_free(&shape);
  if (!ranked)
    return fail(Code::unsupported, "'" + out.name + "' has no fixed number of dimensions");
  TRY(out.type, from_openvino(type));
  return out;
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

class OpenVinoModel final : public Model {
 public:
  OpenVinoModel(const Api& api, Owned<ov_compiled_model_t> compiled)
      : api_(api), compiled_(std::move(compiled)) {}

  Result<void> learn() {
    TRY_VOID(learn_ports(signature_.inputs, api_.ov_compiled_model_inputs_size,
                         api_.ov_compiled_model_input_by_index));
    return learn_ports(signature_.outputs, api_.ov_compiled_model_outputs_size,
                       api_.ov_compiled_model_output_by_index);
  }
  std::string_view platform() const override { return kOpenVinoPlatform; }
  const Signature& signature() const override { return signature_; }

  Result<std::vector<Tensor>> run(const std::vector<TensorView>& inputs,
                                  const std::vector<std::string>& outputs) override {
    TRY(Request request, take());
    auto answers = run_with(request.get(), inputs, outputs);
    // One that failed may still point at this caller's bytes.
    if (answers) give(std::move(request));
    return answers;
  }

 private:
  using Request = Owned<ov_infer_request_t>;

  template <class Size, class At>
  Result<void> learn_ports(std::vector<TensorInfo>& into, Size size_of_ports, At at) {
    size_t count = 0;
    if (size_of_ports(compiled_.get(), &count) != ov_status_e::OK)
      return fail(Code::invalid_argument, api_.last_error());
    for (size_t i = 0; i < count; ++i) {
      const auto get = [&](ov_output_const_port_t** port) { return at(compiled_.get(), i, port); };
      TRY(const auto port, own(api_, api_.ov_output_const_port_free, get));
      TRY(TensorInfo info, describe(api_, port.get()));
      into.push_back(std::move(info));
    }
    return {};
  }

  // A request serves one caller at a time; there are as many as ever ran together.
  Result<Request> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        Request request = std::move(idle_.back());
        idle_.pop_back();
        return request;
      }
    }
    const auto get = [&](ov_infer_request_t** made) {
      return api_.ov_compiled_model_create_infer_request(compiled_.get(), made);
    };
    return own(api_, api_.ov_infer_request_free, get);
  }
  void give(Request request) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(request));
  }

  Result<std::vector<Tensor>> run_with(ov_infer_request_t* request,
                                       const std::vector<TensorView>& inputs,
                                       const std::vector<std::string>& outputs) {
    std::vector<Owned<ov_tensor_t>> held;  // until the run is over
    for (const TensorView& input : inputs) {
      TRY(auto tensor, wrap(input));
      const std::string name(input.name);
      if (api_.ov_infer_request_set_tensor(request, name.c_str(), tensor.get()) != ov_status_e::OK)
        return fail(Code::invalid_argument, "the model could not run: " + api_.last_error());
      held.push_back(std::move(tensor));
    }
    if (api_.ov_infer_request_infer(request) != ov_status_e::OK)
      return fail(Code::invalid_argument, "the model could not run: " + api_.last_error());
    std::vector<Tensor> out;
    const size_t count = outputs.empty() ? signature_.outputs.size() : outputs.size();
    for (size_t i = 0; i < count; ++i) {
      TRY(Tensor tensor, read_output(request, outputs.empty() ? i : index_of(outputs[i])));
      out.push_back(std::move(tensor));
    }
    return out;
  }

  size_t index_of(const std::string& output) const {
    return static_cast<size_t>(std::ranges::find(signature_.outputs, output, &TensorInfo::name) -
                               signature_.outputs.begin());
  }
  Result<Tensor> read_output(const ov_infer_request_t* request, size_t index) {
    const auto get = [&](ov_tensor_t** tensor) {
      return api_.ov_infer_request_get_output_tensor_by_index(request, index, tensor);
    };
    TRY(const auto tensor, own(api_, api_.ov_tensor_free, get));
    return copy(signature_.outputs[index].name, *tensor);
  }

  // The request's bytes are used where they lie.
  Result<Owned<ov_tensor_t>> wrap(const TensorView& input) {
    alignas(64) static std::byte nothing[64];  // an empty tensor must not be a null pointer
    std::vector<int64_t> dims = input.shape;
    const ov_shape_t shape{static_cast<int64_t>(dims.size()), dims.data()};
    void* data = input.data.empty() ? nothing : const_cast<std::byte*>(input.data.data());
    const auto get = [&](ov_tensor_t** tensor) {
      return api_.ov_tensor_create_from_host_ptr(to_openvino(input.type), shape, data, tensor);
    };
    return own(api_, api_.ov_tensor_free, get);
  }

  Result<Tensor> copy(const std::string& name, const ov_tensor_t& tensor) {
    Tensor out;
    out.name = name;
    ov_element_type_e type = ov_element_type_e::DYNAMIC;
    ov_shape_t shape{};
    size_t bytes = 0;
    void* data = nullptr;
    if (api_.ov_tensor_get_element_type(&tensor, &type) != ov_status_e::OK ||
        api_.ov_tensor_get_byte_size(&tensor, &bytes) != ov_status_e::OK ||
        api_.ov_tensor_data(&tensor, &data) != ov_status_e::OK ||
        api_.ov_tensor_get_shape(&tensor, &shape) != ov_status_e::OK)
      return fail(Code::internal, "the answer could not be read: " + api_.last_error());
    out.shape.assign(shape.dims, shape.dims + shape.rank);
    api_.ov_shape_free(&shape);
    TRY(out.type, from_openvino(type));
    const auto* from = static_cast<const std::byte*>(data);
    out.data.assign(from, from + bytes);
    return out;
  }

  const Api& api_;
  Owned<ov_compiled_model_t> compiled_;
  Signature signature_;
  std::mutex mutex_;
  std::vector<Request> idle_;
};

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
    auto made = std::make_unique<OpenVinoModel>(api_, std::move(*compiled));
    TRY_VOID(made->learn());
    return made;
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
