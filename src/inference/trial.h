// A candidate version beside the current one: which requests it gets, what both did with theirs,
// and what follows from that. It decides; whoever asks acts (trials.h).
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "inference/compare.h"

namespace holdfast::inference {

struct TrialSpec {
  int64_t version = 0;           // the candidate
  double share = 0;              // percent of the requests that name no version: answered by it
  double shadow = 0;             // percent that the other one runs as well, off their path
  uint64_t min_requests = 100;   // of the candidate, before it is judged
  double max_error_rate = 0.01;  // over the current one's
  double max_latency_ratio = 2;  // of the 95th percentiles of a run; 0: not judged
  std::chrono::milliseconds latency_slack{1};  // and more than this above
  double max_disagreement = 0.05;              // of the comparisons
  double tolerance = 1e-3;      // of floats that are no rows of classes, and with compare_values
  bool compare_values = false;  // of all: also where the class is the same
  uint64_t promote_after = 0;   // good requests; 0: any number
  std::chrono::milliseconds promote_time{0};  // both 0: only by hand
};
// invalid_argument, naming the field.
Result<void> check(const TrialSpec& spec);

enum class TrialState { running, promoted, rolled_back, aborted };
std::string_view to_string(TrialState state);

struct Verdict {
  TrialState state;
  std::string reason;
};

// A histogram of eight buckets an octave; the quantile is its bucket's upper bound.
class Latencies {
 public:
  void add(int64_t ns);
  int64_t quantile(double part) const;  // ns; 0: nothing was added
  uint64_t count() const { return count_; }

 private:
  std::array<uint32_t, 512> buckets_{};
  uint64_t count_ = 0;
};

struct Arm {
  uint64_t requests = 0, errors = 0;  // answered by it or in vain; for the candidate shadows too
  int64_t p95_ns = 0;                 // of answers' runs, not of shadows
};
struct TrialReport {
  TrialState state = TrialState::running;
  std::string reason;
  Arm candidate, current;
  uint64_t compared = 0, disagreed = 0, dropped = 0;  // dropped: not shadowed, all were busy
  double max_difference = 0;
};

// Any thread may call.
class Trial {
 public:
  // `seed` decides which requests are picked.
  Trial(TrialSpec spec, int64_t current, uint64_t seed, MonoTime start, int64_t started_ms);
  const TrialSpec& spec() const { return spec_; }
  int64_t current() const { return current_; }
  int64_t started_ms() const { return started_ms_; }

  bool running() const { return running_.load(std::memory_order_acquire); }
  bool picks_candidate() { return draw() < spec_.share; }
  bool picks_shadow() { return spec_.shadow > 0 && draw() < spec_.shadow; }

  // What became of one request or shadow. `ns` of the run; 0: it says nothing of the latency.
  void succeeded(bool candidate, int64_t ns);
  void failed(bool candidate);
  void compared(const Comparison& comparison);
  void dropped();
  // What follows at this moment, if anything.
  std::optional<Verdict> verdict(MonoTime now) const;
  // True for the one caller that ended it.
  bool end(TrialState state, std::string reason);
  TrialReport report() const;

 private:
  struct Side {
    uint64_t requests = 0, errors = 0;
    Latencies times;
  };
  double draw();  // 0 to 100
  std::optional<std::string> against() const;

  const TrialSpec spec_;
  const int64_t current_;
  const uint64_t seed_;
  const MonoTime start_;
  const int64_t started_ms_;
  std::atomic<bool> running_{true};
  std::atomic<uint64_t> drawn_{0};
  mutable std::mutex mutex_;
  Side candidate_, other_;
  uint64_t compared_ = 0, disagreed_ = 0, dropped_ = 0;
  double max_difference_ = 0;
  TrialState state_ = TrialState::running;
  std::string reason_;
};
using TrialPtr = std::shared_ptr<Trial>;

}  // namespace holdfast::inference
