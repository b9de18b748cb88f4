#include "inference/onnxruntime/onnxruntime_engine.h"

#include <algorithm>

#include "inference/known_shapes.h"
#include "inference/onnxruntime/library.h"

namespace holdfast::inference {
namespace {

constexpr std::pair<ONNXTensorElementDataType, Datatype> kTypes[] = {
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, Datatype::boolean},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, Datatype::uint8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, Datatype::uint16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, Datatype::uint32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, Datatype::uint64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, Datatype::int8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, Datatype::int16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, Datatype::int32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, Datatype::int64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, Datatype::fp16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, Datatype::fp32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, Datatype::fp64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, Datatype::bytes}};

Result<Datatype> from_onnx(ONNXTensorElementDataType type) {
  for (const auto& [theirs, ours] : kTypes) {
    if (theirs == type) return ours;
  }
  return fail(Code::unsupported, "the model uses a datatype that is not offered");
}

ONNXTensorElementDataType to_onnx(Datatype type) {
  for (const auto& [theirs, ours] : kTypes) {
    if (ours == type) return theirs;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

Result<TensorInfo> describe(const std::string& name, const Ort::TypeInfo& type, const char* what) {
  if (type.GetONNXType() != ONNX_TYPE_TENSOR) {
    return fail(
        Code::unsupported,
        "the " + std::string(what) + " '" + name +
            "' is not a tensor; export the model with plain tensors (skl2onnx: zipmap off)");
  }
  const auto info = type.GetTensorTypeAndShapeInfo();
  TensorInfo out;
  out.name = name;
  TRY(out.type, from_onnx(info.GetElementType()));
  out.shape = info.GetShape();
  for (int64_t& size : out.shape) size = size < 0 ? -1 : size;
  return out;
}

class OnnxModel final : public Model {
 public:
  explicit OnnxModel(Ort::Session session)
      : session_(std::move(session)),
        memory_(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault)) {}

  Result<void> learn() {
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < session_.GetInputCount(); ++i) {
      TRY(TensorInfo info, describe(session_.GetInputNameAllocated(i, allocator).get(),
                                    session_.GetInputTypeInfo(i), "input"));
      signature_.inputs.push_back(std::move(info));
    }
    for (size_t i = 0; i < session_.GetOutputCount(); ++i) {
      TRY(TensorInfo info, describe(session_.GetOutputNameAllocated(i, allocator).get(),
                                    session_.GetOutputTypeInfo(i), "output"));
      signature_.outputs.push_back(std::move(info));
    }
    return {};
  }

  std::string_view platform() const override { return kOnnxRuntimePlatform; }
  const Signature& signature() const override { return signature_; }

  Result<std::vector<Tensor>> run(const std::vector<TensorView>& inputs,
                                  const std::vector<std::string>& outputs) override {
    try {
      return run_checked(inputs, outputs);
    } catch (const Ort::Exception& e) {
      return fail(
          e.GetOrtErrorCode() == ORT_INVALID_ARGUMENT ? Code::invalid_argument : Code::internal,
          std::string("the model could not run: ") + e.what());
    }
  }

 private:
  Result<std::vector<Tensor>> run_checked(const std::vector<TensorView>& inputs,
                                          const std::vector<std::string>& outputs) {
    std::vector<const char*> input_names, output_names;
    std::vector<Ort::Value> values;
    input_names.reserve(inputs.size());
    values.reserve(inputs.size());
    for (const TensorView& input : inputs) {
      input_names.push_back(own_name(signature_.inputs, input.name));
      values.push_back(wrap(input));
    }
    output_names.reserve(signature_.outputs.size());
    if (outputs.empty()) {
      for (const TensorInfo& output : signature_.outputs)
        output_names.push_back(output.name.c_str());
    }
    for (const std::string& output : outputs) output_names.push_back(output.c_str());
    const Names names{input_names, output_names};
    auto room = known_.room_for(inputs, outputs);
    const bool foreseen = !room.empty() && run_into(names, values, room);
    if (foreseen) return room;
    const auto answers = session_.Run(Ort::RunOptions{nullptr}, input_names.data(), values.data(),
                                      values.size(), output_names.data(), output_names.size());
    if (!room.empty()) known_.give_up();
    std::vector<Tensor> out;
    out.reserve(answers.size());
    for (size_t i = 0; i < answers.size(); ++i) {
      TRY(Tensor tensor, copy(output_names[i], answers[i]));
      out.push_back(std::move(tensor));
    }
    known_.learn(inputs, outputs, out);
    return out;
  }

  struct Names {
    const std::vector<const char*>&inputs, &outputs;
  };
  // false: the outputs do not have these shapes, or the model can not run.
  bool run_into(const Names& names, const std::vector<Ort::Value>& values,
                std::vector<Tensor>& outputs) {
    std::vector<Ort::Value> into;
    into.reserve(outputs.size());
    for (Tensor& output : outputs) into.push_back(wrap(output.type, output.shape, output.data));
    try {
      session_.Run(Ort::RunOptions{nullptr}, names.inputs.data(), values.data(), values.size(),
                   names.outputs.data(), into.data(), into.size());
      return true;
    } catch (const Ort::Exception&) {
      return false;
    }
  }

  // The same name, ended by a NUL.
  static const char* own_name(const std::vector<TensorInfo>& tensors, std::string_view name) {
    return std::ranges::find(tensors, name, &TensorInfo::name)->name.c_str();
  }

  // The request's bytes are used where they lie; only texts are copied.
  Ort::Value wrap(const TensorView& input) {
    if (input.type == Datatype::bytes) {
      Ort::AllocatorWithDefaultOptions allocator;
      Ort::Value value = Ort::Value::CreateTensor(allocator, input.shape.data(), input.shape.size(),
                                                  ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
      for (size_t i = 0; i < input.texts.size(); ++i) {  // by length: a text may hold a NUL
        const std::string_view text = input.texts[i];
        std::ranges::copy(text, value.GetResizedStringTensorElementBuffer(i, text.size()));
      }
      return value;
    }
    return wrap(input.type, input.shape, input.data);
  }

  Ort::Value wrap(Datatype type, const std::vector<int64_t>& shape, ByteView data) {
    alignas(8) static std::byte nothing[8];  // an empty tensor must not be a null pointer
    const std::byte* bytes = data.empty() ? nothing : data.data();
    return Ort::Value::CreateTensor(memory_, const_cast<std::byte*>(bytes), data.size(),
                                    shape.data(), shape.size(), to_onnx(type));
  }

  static Result<Tensor> copy(const char* name, const Ort::Value& value) {
    if (!value.IsTensor())
      return fail(Code::unsupported, std::string("the output '") + name + "' is not a tensor");
    const auto info = value.GetTensorTypeAndShapeInfo();
    Tensor out;
    out.name = name;
    TRY(out.type, from_onnx(info.GetElementType()));
    out.shape = info.GetShape();
    const size_t count = info.GetElementCount();
    if (out.type == Datatype::bytes) {
      for (size_t i = 0; i < count; ++i) out.texts.push_back(value.GetStringTensorElement(i));
    } else {
      const auto* bytes = static_cast<const std::byte*>(value.GetTensorRawData());
      out.data.assign(bytes, bytes + count * size_of(out.type));
    }
    return out;
  }

  Ort::Session session_;
  Ort::MemoryInfo memory_;
  Signature signature_;
  KnownShapes known_;
};

class OnnxEngine final : public Engine {
 public:
  explicit OnnxEngine(OnnxRuntimeOptions options)
      : options_(std::move(options)), env_(ORT_LOGGING_LEVEL_ERROR, "holdfast") {
    env_.DisableTelemetryEvents();
  }
  std::string_view platform() const override { return kOnnxRuntimePlatform; }

  Result<std::unique_ptr<Model>> load(const std::string& path) override {
    try {
      Ort::SessionOptions options;
      options.SetIntraOpNumThreads(options_.threads);
      options.SetExecutionMode(ORT_SEQUENTIAL);
      onnxruntime::use_device(options, options_.device);
      options.SetGraphOptimizationLevel(options_.write_to.empty() ? ORT_ENABLE_ALL
                                                                  : ORT_ENABLE_BASIC);
      if (!options_.write_to.empty()) options.SetOptimizedModelFilePath(options_.write_to.c_str());
      // A spinning worker would take the second core from the requests.
      options.AddConfigEntry("session.intra_op.allow_spinning", "0");
      auto model = std::make_unique<OnnxModel>(Ort::Session(env_, path.c_str(), options));
      TRY_VOID(model->learn());
      return model;
    } catch (const Ort::Exception& e) {
      // The caller knows which file it sent; where it lies here is nobody's business.
      std::string why = e.what();
      for (size_t at = 0; (at = why.find(path, at)) != std::string::npos;)
        why.replace(at, path.size(), "the file");
      return fail(Code::invalid_argument, "not a usable ONNX model: " + why);
    }
  }

 private:
  OnnxRuntimeOptions options_;
  Ort::Env env_;
};

}  // namespace

Result<std::unique_ptr<Engine>> open_onnxruntime(OnnxRuntimeOptions options) {
  if (options.device == "cpu") {
    TRY_VOID(onnxruntime::open_library());
  } else {
    TRY(const auto devices, onnxruntime_devices());
    if (std::ranges::find(devices, options.device) == devices.end())
      return fail(Code::unavailable, "this ONNX Runtime has no '" + options.device + "'");
  }
  return std::unique_ptr<Engine>(new OnnxEngine(std::move(options)));
}

}  // namespace holdfast::inference
