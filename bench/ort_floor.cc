// The floor for an inference: the raw ONNX Runtime call, one thread, one row of floats.
//   bench_ort_floor MODEL CALLS       prints {"p50_us":…,"p99_us":…}
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_ort_floor MODEL CALLS\n");
    return 2;
  }
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "floor");
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  Ort::Session session(env, argv[1], options);
  Ort::AllocatorWithDefaultOptions allocator;
  auto shape = session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
  size_t count = 1;
  for (auto& dimension : shape) {
    if (dimension < 0) dimension = 1;
    count *= static_cast<size_t>(dimension);
  }
  std::vector<float> input(count, 0.5F);
  const std::string input_name = session.GetInputNameAllocated(0, allocator).get();
  std::vector<std::string> output_names;
  output_names.reserve(session.GetOutputCount());
  for (size_t i = 0; i < session.GetOutputCount(); ++i)
    output_names.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
  std::vector<const char*> outputs;
  outputs.reserve(output_names.size());
  for (const auto& name : output_names) outputs.push_back(name.c_str());
  const char* inputs[] = {input_name.c_str()};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<double> micros;
  const int calls = std::atoi(argv[2]);
  for (int i = 0; i < calls; ++i) {
    const auto start = std::chrono::steady_clock::now();
    auto tensor = Ort::Value::CreateTensor<float>(memory, input.data(), input.size(), shape.data(),
                                                  shape.size());
    auto answers =
        session.Run(Ort::RunOptions(nullptr), inputs, &tensor, 1, outputs.data(), outputs.size());
    micros.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
            .count());
  }
  std::sort(micros.begin(), micros.end());
  std::printf("{\"p50_us\":%.3f,\"p99_us\":%.3f}\n", micros[micros.size() / 2],
              micros[micros.size() * 99 / 100]);
}
