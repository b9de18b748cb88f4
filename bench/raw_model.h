// The raw ONNX Runtime call that figures are compared with: one thread, the model's first input
// with every free size 1, all outputs.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <string>
#include <vector>

class RawModel {
 public:
  explicit RawModel(const char* path) : session_(env_, path, options()) {
    Ort::AllocatorWithDefaultOptions allocator;
    shape_ = session_.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
    size_t count = 1;
    for (auto& dimension : shape_) {
      if (dimension < 0) dimension = 1;
      count *= static_cast<size_t>(dimension);
    }
    input_.assign(count, 0.5F);
    input_name_ = session_.GetInputNameAllocated(0, allocator).get();
    for (size_t i = 0; i < session_.GetOutputCount(); ++i)
      output_names_.emplace_back(session_.GetOutputNameAllocated(i, allocator).get());
    for (const auto& name : output_names_) outputs_.push_back(name.c_str());
  }

  void run() {
    const char* inputs[] = {input_name_.c_str()};
    auto tensor = Ort::Value::CreateTensor<float>(memory_, input_.data(), input_.size(),
                                                  shape_.data(), shape_.size());
    auto answers = session_.Run(Ort::RunOptions(nullptr), inputs, &tensor, 1, outputs_.data(),
                                outputs_.size());
  }

 private:
  static Ort::SessionOptions options() {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    return options;
  }

  Ort::Env env_{ORT_LOGGING_LEVEL_ERROR, "raw"};
  Ort::Session session_;
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<int64_t> shape_;
  std::vector<float> input_;
  std::string input_name_;
  std::vector<std::string> output_names_;
  std::vector<const char*> outputs_;
};
