// A server of the Open Inference Protocol as a client sees it: comparing it with the raw runtime,
// and measuring it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "inference/measure/difference.h"
#include "inference/measure/samples.h"
#include "net/http/client.h"

namespace holdfast::inference {

// How the server is asked: null and empty where it wants nothing.
struct ServerAccess {
  std::shared_ptr<TlsContext> tls;
  std::string token;
};
// A client that may be used until the caller's task ends, and a request that carries the token.
http::Client client_of(const ServerAccess& access);
http::ClientRequest request_to(const ServerAccess& access, std::string method, std::string url);

// "http://127.0.0.1:8000/v2/models/digits/versions/3"
struct Served {
  std::string url, platform;
  Signature signature;
};
// not_found: the server has no such model; unavailable; timed_out.
Task<Result<Served>> ask_served(ServerAccess access, std::string url);

// The request with all tensors binary, answers as well.
http::ClientRequest infer_request(const ServerAccess& access, const std::string& url,
                                  const Inputs& inputs);
// The server's error as ours; internal: it does not answer as the protocol says.
Result<Outputs> read_answer(const http::Client::Whole& answer);

// Both answer every sample; by output, over all of them.
Result<std::vector<Difference>> verify(Model& raw, const std::vector<Sample>& samples,
                                       const ServerAccess& access, const std::string& url);

struct Stage {
  std::string name;  // client, request, queue, input, infer, output
  uint64_t count = 0;
  double mean_us = 0;
  // Of the client exact; of the server from its histograms, between their bounds; 0: not kept.
  double p50_us = 0, p90_us = 0, p99_us = 0;
};
struct BenchOptions {
  unsigned connections = 1;
  std::chrono::milliseconds duration{5000};
  std::function<void(double)> progress;  // 0 to 1
};
struct BenchFigures {
  std::vector<Stage> stages;
  double rate = 0;  // requests a second
  uint64_t errors = 0;
  std::string error;  // the last one
};
// `base` is the server, `url` the model in it. Requests of others meanwhile are in its stages.
Result<BenchFigures> bench(const ServerAccess& access, const std::string& base,
                           const std::string& url, const std::string& name,
                           const std::string& version, const std::vector<Sample>& samples,
                           const BenchOptions& options);

}  // namespace holdfast::inference
