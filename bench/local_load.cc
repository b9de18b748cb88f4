// Asks over the local door, one request at a time, a row of 64 floats that changes each time.
//   bench_local_load SOCKET MODEL INPUT OUTPUT CALLS       prints {"p50_us":…,"p99_us":…}
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "inference_client/local_client.h"

namespace {

using holdfast::Result;
using holdfast::inference_client::LocalClient;

constexpr size_t kColumns = 64;

std::string placed(const std::string& region, size_t size) {
  return R"("parameters":{"shared_memory_region":")" + region + R"(","shared_memory_byte_size":)" +
         std::to_string(size) + "}";
}

Result<std::vector<double>> run(char** argv) {
  TRY(LocalClient client, LocalClient::connect(argv[1]));
  TRY(const auto in, client.share("in", kColumns * sizeof(float)));
  TRY(const auto out, client.share("out", 4096));
  const std::string request =
      std::string(R"({"model_name":")") + argv[2] + R"(","inputs":[{"name":")" + argv[3] +
      R"(","datatype":"FP32","shape":[1,64],)" + placed("in", in.bytes().size()) +
      R"(}],"outputs":[{"name":")" + argv[4] + R"(",)" + placed("out", 4096) + "}]}";
  std::vector<double> micros;
  const int calls = std::atoi(argv[5]);
  std::vector<float> row(kColumns, 0.5F);
  for (int i = 0; i < calls; ++i) {
    const auto start = std::chrono::steady_clock::now();
    row[0] = static_cast<float>(i % 16) / 16;
    std::memcpy(in.bytes().data(), row.data(), in.bytes().size());
    TRY(const std::string answer, client.infer(request));
    micros.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
            .count());
  }
  return micros;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: bench_local_load SOCKET MODEL INPUT OUTPUT CALLS\n");
    return 2;
  }
  auto micros = run(argv);
  if (!micros) {
    std::fprintf(stderr, "%s\n", micros.error().message().c_str());
    return 1;
  }
  std::sort(micros->begin(), micros->end());
  std::printf("{\"p50_us\":%.3f,\"p99_us\":%.3f}\n", (*micros)[micros->size() / 2],
              (*micros)[micros->size() * 99 / 100]);
}
