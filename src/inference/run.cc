#include "inference/run.h"

#include <algorithm>
#include <chrono>

namespace holdfast::inference {
namespace {

constexpr int64_t kInlineNanos =
    200'000;  // the house rule: quicker than this runs on the request's thread

uint64_t now_ms() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

// Follows the 99th percentile: up by 99 steps or down by one, so that one hiccup of the machine
// does not leave the fast path, and one run in a hundred that is really slow does.
void follow(std::atomic<int64_t>& p99_ns, int64_t took) {
  constexpr int64_t step = 200;
  const int64_t p99 = p99_ns.load(std::memory_order_relaxed);
  p99_ns.store(std::max<int64_t>(0, took > p99 ? p99 + 99 * step : p99 - step),
               std::memory_order_relaxed);
}

}  // namespace

Task<Result<std::vector<Tensor>>> run_model(Repository& repository, Loaded& loaded,
                                            const std::vector<TensorView>& inputs,
                                            const std::vector<std::string>& outputs,
                                            const RunOptions& options) {
  using Clock = std::chrono::steady_clock;
  const auto arrived = Clock::now();
  auto start = arrived, end = arrived;
  bool begun = false;
  const auto run = [&]() -> Result<std::vector<Tensor>> {
    start = Clock::now();
    if (start >= options.deadline)
      return fail(Code::timed_out, "the deadline passed before the model could run");
    if (options.abandoned && options.abandoned())
      return fail(Code::cancelled, "nobody waits for the answer");
    begun = true;
    auto ran = loaded.model->run(inputs, outputs);
    end = Clock::now();
    return ran;
  };
  Result<std::vector<Tensor>> ran = fail(Code::internal, "not run");
  if (loaded.p99_ns.load(std::memory_order_relaxed) < kInlineNanos) {
    ran = run();
  } else {
    loaded.statistics.pending.fetch_add(1, std::memory_order_relaxed);
    auto work = [&] {
      loaded.statistics.pending.fetch_sub(1, std::memory_order_relaxed);
      return run();
    };
    ran = co_await repository.pool().run(std::move(work));
  }
  const auto finished = Clock::now();
  Statistics& statistics = loaded.statistics;
  statistics.last_ms.store(now_ms(), std::memory_order_relaxed);
  const int64_t took = (end - start).count();
  if (begun) statistics.executed(1, took);
  if (ran) {
    statistics.succeeded({.request = (finished - arrived).count(),
                          .queue = (start - arrived).count(),
                          .infer = took});
    follow(loaded.p99_ns, took);
  } else {
    statistics.failed(failure_of(ran.error().code()), (finished - arrived).count());
  }
  co_return ran;
}

}  // namespace holdfast::inference
