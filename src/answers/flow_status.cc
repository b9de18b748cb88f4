#include <algorithm>
#include <cmath>

#include "answers/flow.h"

namespace holdfast::answers {
namespace {

constexpr size_t kSamples = 10000, kLastLines = 100;

}  // namespace

void Flow::answered(const shares::FileEvent& event, std::string line) {
  const float took = std::chrono::duration<float, std::milli>(clock_.now() - event.closed).count();
  const std::lock_guard lock(mutex_);
  ++status_.answered;
  status_.way = model_.way();
  status_.last.push_back(std::move(line));
  if (status_.last.size() > kLastLines) status_.last.pop_front();
  if (latencies_.size() < kSamples) {
    latencies_.push_back(took);
  } else {
    latencies_[next_latency_++ % kSamples] = took;
  }
}

FlowStatus Flow::status() const {
  FlowStatus out;
  std::vector<float> sorted;
  {
    const std::lock_guard lock(mutex_);
    out = status_;
    sorted = latencies_;
  }
  out.samples = sorted.size();
  if (sorted.empty()) return out;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = [&](double share) {
    const auto at = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
    return static_cast<double>(sorted[std::clamp<size_t>(at, 1, sorted.size()) - 1]);
  };
  out.p50_ms = rank(0.5);
  out.p99_ms = rank(0.99);
  return out;
}

}  // namespace holdfast::answers
