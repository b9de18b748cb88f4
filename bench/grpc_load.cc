// One connection that asks again as soon as it was answered: what a unary call costs.
//   bench_grpc_load ADDRESS METHOD FILE SECONDS      FILE: the request's bytes; prints
//                                                    {"p50_us":…,"p99_us":…,"rate":…,"errors":…}
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_grpc_load ADDRESS METHOD FILE SECONDS\n");
    return 2;
  }
  std::ifstream file(argv[3], std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::GenericStub stub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  // The first second is not counted: connecting, and the server's own warming up.
  const auto counted = begin + std::chrono::seconds(1);
  const auto end = counted + std::chrono::duration<double>(std::atof(argv[4]));
  std::vector<double> micros;
  size_t errors = 0;
  grpc::CompletionQueue queue;
  for (auto start = begin; start < end; start = Clock::now()) {
    grpc::ClientContext context;
    grpc::ByteBuffer answer;
    grpc::Status status;
    const auto call = stub.PrepareUnaryCall(&context, argv[2], request, &queue);
    call->StartCall();
    call->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    if (!queue.Next(&tag, &ok)) break;
    if (!status.ok() && errors++ == 0)
      std::fprintf(stderr, "status %d: %s\n", static_cast<int>(status.error_code()),
                   status.error_message().c_str());
    if (start >= counted)
      micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  queue.Shutdown();
  if (micros.empty()) return 1;
  std::sort(micros.begin(), micros.end());
  std::printf("{\"p50_us\":%.3f,\"p99_us\":%.3f,\"rate\":%.1f,\"errors\":%zu}\n",
              micros[micros.size() / 2], micros[micros.size() * 99 / 100],
              static_cast<double>(micros.size()) / std::atof(argv[4]), errors);
}
