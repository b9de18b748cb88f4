// Sends spans to a collector by OTLP/HTTP (JSON), from a thread of its own. A request never waits
// for it: what finds the queue full is dropped and counted.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "inference/background.h"
#include "inference/traces/span.h"
#include "net/http/client.h"

namespace holdfast::inference {

struct TraceOptions {
  std::string endpoint;  // URL; without a path it is /v1/traces. Empty: nothing is traced
  double sample = 100;   // percent of the requests whose callers have no trace
  size_t queue = 2048;   // spans that wait or are on their way
  size_t batch = 512;    // spans sent together
  std::chrono::milliseconds every{1000};    // at the latest, what is there is sent
  std::chrono::milliseconds timeout{5000};  // of one try
  std::chrono::milliseconds pause{1000};    // before the second try, then twice as long each
  std::string ca;                           // PEM file; empty: whom the system trusts
  std::vector<std::pair<std::string, std::string>> headers;  // may hold secrets
  Attributes resource;                                       // of the server
  std::string version;                                       // of the program
};

// Any thread may call.
class SpanExporter {
 public:
  SpanExporter(const TraceOptions& options, std::shared_ptr<TlsContext> tls);

  void add(TracedRequest request) noexcept;
  std::string metrics() const;  // Prometheus' text format

 private:
  // What became of a batch: sent; worth another try, not before `wait` (0: as the exporter likes);
  // refused.
  struct Sent {
    enum class What { done, again, refused } what = What::done;
    std::chrono::milliseconds wait{0};
    uint64_t rejected = 0;
    std::string why;
  };
  Task<void> loop();
  Task<void> deliver(http::Client& client, const std::vector<TracedRequest>& requests);
  Task<Sent> send(http::Client& client, const std::string& body);
  void tell(const std::string& why);

  const TraceOptions options_;
  const std::shared_ptr<TlsContext> tls_;
  std::atomic<uint64_t> sent_{0}, queue_full_{0}, not_sent_{0}, rejected_{0};
  bool failing_ = false;  // of the thread
  // At the end it sends what waits, in one try each; at the first that fails the rest is dropped.
  Background<TracedRequest> requests_;
};

}  // namespace holdfast::inference
