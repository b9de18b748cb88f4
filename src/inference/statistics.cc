#include "inference/statistics.h"

#include <algorithm>
#include <numeric>

namespace holdfast::inference {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

void add(std::atomic<uint64_t>& counter, int64_t value) {
  if (value > 0) counter.fetch_add(static_cast<uint64_t>(value), kRelaxed);
}

size_t bucket_of(int64_t ns) {
  const auto us = static_cast<uint64_t>(std::max<int64_t>(0, ns) + 999) / 1000;
  return static_cast<size_t>(std::ranges::lower_bound(kBounds, us) - kBounds.begin());
}

template <class From>
void sum(Buckets& into, const From& from) {
  for (size_t i = 0; i < into.size(); ++i) into[i] += from[i].load(kRelaxed);
}

}  // namespace

std::string_view to_string(Failure failure) {
  constexpr std::array<std::string_view, kFailures> kNames = {"REJECTED", "CANCELED", "BACKEND",
                                                              "OTHER"};
  return kNames[static_cast<size_t>(failure)];
}

Failure failure_of(Code code) {
  switch (code) {
    case Code::unavailable:
    case Code::timed_out:
      return Failure::rejected;
    case Code::cancelled:
      return Failure::canceled;
    case Code::internal:
      return Failure::backend;
    default:
      return Failure::other;
  }
}

uint64_t Totals::failed() const {
  return std::accumulate(failures.begin(), failures.end(), uint64_t{0});
}

Statistics::Part& Statistics::mine() {
  static std::atomic<size_t> threads{0};
  thread_local const size_t index = threads.fetch_add(1, kRelaxed);
  return parts_[index % parts_.size()];
}

void Statistics::succeeded(const Timing& timing) {
  Part& part = mine();
  part.successes.fetch_add(1, kRelaxed);
  add(part.success_ns, timing.request);
  add(part.queue_ns, timing.queue);
  add(part.input_ns, timing.input);
  add(part.infer_ns, timing.infer);
  add(part.output_ns, timing.output);
  part.request[bucket_of(timing.request)].fetch_add(1, kRelaxed);
  part.queue[bucket_of(timing.queue)].fetch_add(1, kRelaxed);
  part.infer[bucket_of(timing.infer)].fetch_add(1, kRelaxed);
}

void Statistics::failed(Failure why, int64_t ns) {
  Part& part = mine();
  part.failures[static_cast<size_t>(why)].fetch_add(1, kRelaxed);
  add(part.failure_ns, ns);
}

void Statistics::executed(size_t requests, int64_t ns) {
  Part& part = mine();
  part.executions.fetch_add(1, kRelaxed);
  if (requests < 2) return add(part.single_ns, ns);
  Batch& batch = merged_[std::min(requests, kMostMerged)];
  batch.runs.fetch_add(1, kRelaxed);
  add(batch.ns, ns);
}

Totals Statistics::read() const {
  Totals out;
  for (const Part& part : parts_) {
    out.successes += part.successes.load(kRelaxed);
    out.success_ns += part.success_ns.load(kRelaxed);
    out.failure_ns += part.failure_ns.load(kRelaxed);
    out.queue_ns += part.queue_ns.load(kRelaxed);
    out.input_ns += part.input_ns.load(kRelaxed);
    out.infer_ns += part.infer_ns.load(kRelaxed);
    out.output_ns += part.output_ns.load(kRelaxed);
    out.executions += part.executions.load(kRelaxed);
    out.batches[1].ns += part.single_ns.load(kRelaxed);
    for (size_t i = 0; i < kFailures; ++i) out.failures[i] += part.failures[i].load(kRelaxed);
    sum(out.request, part.request);
    sum(out.queue, part.queue);
    sum(out.infer, part.infer);
  }
  uint64_t together = 0;
  for (size_t i = 2; i < out.batches.size(); ++i) {
    out.batches[i] = {merged_[i].runs.load(kRelaxed), merged_[i].ns.load(kRelaxed)};
    together += out.batches[i].runs;
  }
  out.batches[1].runs = out.executions - std::min(out.executions, together);
  return out;
}

}  // namespace holdfast::inference
