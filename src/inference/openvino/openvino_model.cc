#include "inference/openvino/openvino_model.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "inference/known_shapes.h"
#include "inference/openvino/openvino_engine.h"

namespace holdfast::inference::openvino {
namespace {

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
    const bool all = wants_all(outputs);
    auto room = all ? known_.room_for(inputs, outputs) : std::vector<Tensor>();
    if (!room.empty() && run_into(inputs, room)) return room;
    TRY(Request request, take(idle_));
    TRY_VOID(infer(request.get(), inputs, {}));
    std::vector<Tensor> out;
    const size_t count = outputs.empty() ? signature_.outputs.size() : outputs.size();
    for (size_t i = 0; i < count; ++i) {
      TRY(Tensor tensor, read_output(request.get(), outputs.empty() ? i : index_of(outputs[i])));
      out.push_back(std::move(tensor));
    }
    if (!room.empty()) known_.give_up();
    if (all) known_.learn(inputs, outputs, out);
    give(idle_, std::move(request));
    return out;
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

  // A request serves one caller at a time; there are as many as ever ran together. One that failed
  // is not used again: it may still point at its caller's bytes.
  Result<Request> take(std::vector<Request>& idle) {
    {
      const std::lock_guard lock(mutex_);
      if (!idle.empty()) {
        Request request = std::move(idle.back());
        idle.pop_back();
        return request;
      }
    }
    const auto get = [&](ov_infer_request_t** made) {
      return api_.ov_compiled_model_create_infer_request(compiled_.get(), made);
    };
    return own(api_, api_.ov_infer_request_free, get);
  }
  void give(std::vector<Request>& idle, Request request) {
    const std::lock_guard lock(mutex_);
    idle.push_back(std::move(request));
  }

  // Reads the inputs where they lie, and writes `outputs` there. invalid_argument; internal: an
  // output has another shape.
  Result<void> infer(ov_infer_request_t* request, const std::vector<TensorView>& inputs,
                     const std::vector<Tensor>& outputs) {
    std::vector<Owned<ov_tensor_t>> held;  // until the run is over
    held.reserve(inputs.size() + outputs.size());
    const auto set = [&](std::string_view name, const auto& bytes) -> Result<void> {
      TRY(auto tensor, wrap(bytes.type, bytes.shape, bytes.data));
      const std::string text(name);
      if (api_.ov_infer_request_set_tensor(request, text.c_str(), tensor.get()) != ov_status_e::OK)
        return fail(Code::invalid_argument, "the model could not run: " + api_.last_error());
      held.push_back(std::move(tensor));
      return {};
    };
    for (const TensorView& input : inputs) TRY_VOID(set(input.name, input));
    for (const Tensor& output : outputs) TRY_VOID(set(output.name, output));
    if (api_.ov_infer_request_infer(request) != ov_status_e::OK)
      return fail(Code::invalid_argument, "the model could not run: " + api_.last_error());
    for (size_t i = 0; i < outputs.size(); ++i) {
      TRY(const auto shape, shape_of(*held[inputs.size() + i]));
      if (shape != outputs[i].shape)
        return fail(Code::internal, "'" + outputs[i].name + "' has another shape");
    }
    return {};
  }

  bool wants_all(const std::vector<std::string>& outputs) const {
    return outputs.empty() || std::ranges::all_of(signature_.outputs, [&](const TensorInfo& info) {
             return std::ranges::find(outputs, info.name) != outputs.end();
           });
  }
  // false: the outputs do not have these shapes, or the model can not run.
  bool run_into(const std::vector<TensorView>& inputs, const std::vector<Tensor>& outputs) {
    auto request = take(lent_);
    if (!request || !infer(request->get(), inputs, outputs)) return false;
    give(lent_, *std::move(request));
    return true;
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
  Result<Owned<ov_tensor_t>> wrap(Datatype type, std::vector<int64_t> dims, ByteView bytes) {
    alignas(64) static std::byte nothing[64];  // an empty tensor must not be a null pointer
    const ov_shape_t shape{static_cast<int64_t>(dims.size()), dims.data()};
    void* data = bytes.empty() ? nothing : const_cast<std::byte*>(bytes.data());
    const auto get = [&](ov_tensor_t** tensor) {
      return api_.ov_tensor_create_from_host_ptr(to_openvino(type), shape, data, tensor);
    };
    return own(api_, api_.ov_tensor_free, get);
  }

  Result<std::vector<int64_t>> shape_of(const ov_tensor_t& tensor) {
    ov_shape_t shape{};
    if (api_.ov_tensor_get_shape(&tensor, &shape) != ov_status_e::OK)
      return fail(Code::internal, "the answer could not be read: " + api_.last_error());
    std::vector<int64_t> out(shape.dims, shape.dims + shape.rank);
    api_.ov_shape_free(&shape);
    return out;
  }

  Result<Tensor> copy(const std::string& name, const ov_tensor_t& tensor) {
    Tensor out;
    out.name = name;
    ov_element_type_e type = ov_element_type_e::DYNAMIC;
    size_t bytes = 0;
    void* data = nullptr;
    if (api_.ov_tensor_get_element_type(&tensor, &type) != ov_status_e::OK ||
        api_.ov_tensor_get_byte_size(&tensor, &bytes) != ov_status_e::OK ||
        api_.ov_tensor_data(&tensor, &data) != ov_status_e::OK)
      return fail(Code::internal, "the answer could not be read: " + api_.last_error());
    TRY(out.shape, shape_of(tensor));
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
  // Those that wrote into an answer still point there: they are used for such runs alone, in which
  // each of their outputs is set anew.
  std::vector<Request> lent_;
  KnownShapes known_;
};

}  // namespace

Result<std::unique_ptr<Model>> make_model(const Api& api, Owned<ov_compiled_model_t> compiled) {
  auto made = std::make_unique<OpenVinoModel>(api, std::move(compiled));
  TRY_VOID(made->learn());
  return made;
}

}  // namespace holdfast::inference::openvino
