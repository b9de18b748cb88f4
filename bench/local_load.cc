// Asks over the local door for rows of floats that change each time.
//   bench_local_load SOCKET MODEL INPUT OUTPUT CALLS [SHAPE OUTPUT_BYTES CALLERS]
// SHAPE of the input as "1,64", OUTPUT_BYTES the room for the output, CALLERS ask at the same time,
// CALLS each. Prints {"p50_us":…,"p99_us":…,"per_second":…}.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "inference_client/local_client.h"

namespace {

using holdfast::Result;
using holdfast::inference_client::LocalClient;
using Clock = std::chrono::steady_clock;

struct Job {
  std::string socket, model, input, output;
  int calls = 0;
  std::string shape = "1,64";
  size_t output_bytes = 4096;
  int callers = 1;
};

std::string placed(const std::string& region, size_t size) {
  return R"("parameters":{"shared_memory_region":")" + region + R"(","shared_memory_byte_size":)" +
         std::to_string(size) + "}";
}

Result<std::vector<double>> run(const Job& job) {
  size_t bytes = sizeof(float);
  for (const std::string_view size : holdfast::split(job.shape, ','))
    bytes *= std::strtoull(std::string(size).c_str(), nullptr, 10);
  TRY(LocalClient client, LocalClient::connect(job.socket));
  TRY(const auto in, client.share("in", bytes));
  TRY(const auto out, client.share("out", job.output_bytes));
  const std::string request = R"({"model_name":")" + job.model + R"(","inputs":[{"name":")" +
                              job.input + R"(","datatype":"FP32","shape":[)" + job.shape + "]," +
                              placed("in", bytes) + R"(}],"outputs":[{"name":")" + job.output +
                              R"(",)" + placed("out", job.output_bytes) + "}]}";
  std::vector<double> micros;
  std::vector<float> row(bytes / sizeof(float), 0.5F);
  for (int i = 0; i < job.calls; ++i) {
    const auto start = Clock::now();
    row[0] = static_cast<float>(i % 16) / 16;
    std::memcpy(in.bytes().data(), row.data(), bytes);
    TRY(const std::string answer, client.infer(request));
    micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  return micros;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 && argc != 9) {
    std::fprintf(stderr,
                 "usage: bench_local_load SOCKET MODEL INPUT OUTPUT CALLS "
                 "[SHAPE OUTPUT_BYTES CALLERS]\n");
    return 2;
  }
  Job job{argv[1], argv[2], argv[3], argv[4], std::atoi(argv[5])};
  if (argc == 9) {
    job.shape = argv[6];
    job.output_bytes = std::strtoull(argv[7], nullptr, 10);
    job.callers = std::atoi(argv[8]);
  }
  std::vector<Result<std::vector<double>>> each(static_cast<size_t>(std::max(job.callers, 1)));
  std::vector<std::thread> threads;
  threads.reserve(each.size());
  const auto start = Clock::now();
  for (size_t i = 1; i < each.size(); ++i)
    threads.emplace_back([&job, &mine = each[i]] { mine = run(job); });
  each[0] = run(job);
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::vector<double> micros;
  for (const auto& mine : each) {
    if (!mine) {
      std::fprintf(stderr, "%s\n", mine.error().message().c_str());
      return 1;
    }
    micros.insert(micros.end(), mine->begin(), mine->end());
  }
  std::sort(micros.begin(), micros.end());
  std::printf("{\"p50_us\":%.3f,\"p99_us\":%.3f,\"per_second\":%.3f}\n", micros[micros.size() / 2],
              micros[micros.size() * 99 / 100], static_cast<double>(micros.size()) / seconds);
}
