// What became of one model version's requests, counted without a lock: every thread adds to a part
// of its own, and whoever reads sums the parts. Any thread may call.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace holdfast::inference {

// Why a request failed: the label values of Triton's nv_inference_request_failure. rejected: it was
// not run, for the queue was full or its deadline passed.
enum class Failure { rejected, canceled, backend, other };
inline constexpr size_t kFailures = 4;
std::string_view to_string(Failure failure);  // "REJECTED"
Failure failure_of(Code code);

// Where the time of one answered request went, in ns. `request` is the whole.
struct Timing {
  int64_t request = 0, queue = 0, input = 0, infer = 0, output = 0;
};

// Upper bounds in µs of a histogram's buckets; one more holds what took longer.
inline constexpr std::array<uint32_t, 17> kBounds = {
    25,     50,     100,     250,     500,     1'000,     2'500,     5'000,     10'000,
    25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 10'000'000};
using Buckets = std::array<uint64_t, kBounds.size() + 1>;

// Requests merged in one run are counted one by one up to this; more count as it.
inline constexpr size_t kMostMerged = 64;

struct Totals {
  uint64_t successes = 0, success_ns = 0, failure_ns = 0;
  std::array<uint64_t, kFailures> failures{};
  uint64_t queue_ns = 0, input_ns = 0, infer_ns = 0, output_ns = 0;
  uint64_t executions = 0;
  Buckets request{}, queue{}, infer{};  // of successes
  struct Batch {
    uint64_t runs = 0, ns = 0;
  };
  std::array<Batch, kMostMerged + 1> batches{};  // by the number of requests merged; 0 is unused
  uint64_t failed() const;
};

class Statistics {
 public:
  void succeeded(const Timing& timing);
  void failed(Failure why, int64_t ns);
  void executed(size_t requests, int64_t ns);  // one run of the engine, for so many requests
  Totals read() const;

  std::atomic<int64_t> pending{0};   // requests that wait for a lane
  std::atomic<uint64_t> last_ms{0};  // of the last request, since 1970

 private:
  using Counter = std::atomic<uint64_t>;
  struct alignas(64) Part {
    Counter successes{0}, success_ns{0}, failure_ns{0}, queue_ns{0}, input_ns{0}, infer_ns{0},
        output_ns{0}, executions{0}, single_ns{0};
    std::array<Counter, kFailures> failures{};
    std::array<Counter, kBounds.size() + 1> request{}, queue{}, infer{};
  };
  struct Batch {
    Counter runs{0}, ns{0};
  };
  Part& mine();

  std::array<Part, 8> parts_;
  std::array<Batch, kMostMerged + 1> merged_{};  // from two requests on
};

}  // namespace holdfast::inference
