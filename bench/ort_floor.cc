// The floor under every way of serving a model: the raw ONNX Runtime call in a loop.
//   bench_ort_floor MODEL CALLS      prints {"p50_us": …, "p99_us": …}
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "raw_model.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_ort_floor MODEL CALLS\n");
    return 2;
  }
  RawModel model(argv[1]);
  std::vector<double> micros;
  const int calls = std::atoi(argv[2]);
  for (int i = 0; i < calls; ++i) {
    const auto start = std::chrono::steady_clock::now();
    model.run();
    micros.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
            .count());
  }
  std::sort(micros.begin(), micros.end());
  std::printf("{\"p50_us\":%.3f,\"p99_us\":%.3f}\n", micros[micros.size() / 2],
              micros[micros.size() * 99 / 100]);
}
