#include "inference/trial.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

namespace holdfast::inference {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string percent(double part) {
  return number(100 * part) + " %";
}

std::string milliseconds(int64_t ns) {
  return number(static_cast<double>(ns) / 1e6) + " ms";
}

double rate(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// splitmix64's mixing: neighbours' results have nothing to do with each other.
uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

std::string_view to_string(TrialState state) {
  constexpr std::string_view kNames[] = {"running", "promoted", "rolled_back", "aborted"};
  return kNames[static_cast<size_t>(state)];
}

Result<void> check(const TrialSpec& spec) {
  const auto within = [](double value, double least, double most) {
    return value >= least && value <= most;  // false for what is not a number
  };
  const auto bad = [](const char* what) { return fail(Code::invalid_argument, what); };
  if (spec.version <= 0) return bad("version: a number from 1");
  if (!within(spec.share, 0, 100) || !within(spec.shadow, 0, 100))
    return bad("share and shadow are percents, 0 to 100");
  if (spec.share == 0 && spec.shadow == 0)
    return bad("share or shadow: the candidate would get no request");
  if (spec.min_requests == 0) return bad("min_requests: a number from 1");
  if (!within(spec.max_error_rate, 0, 1) || !within(spec.max_disagreement, 0, 1))
    return bad("max_error_rate and max_disagreement are parts of 1");
  if (!within(spec.max_latency_ratio, 0, 1e6) || !within(spec.tolerance, 0, 1e300))
    return bad("max_latency_ratio and tolerance are numbers from 0");
  if (spec.latency_slack.count() < 0 || spec.promote_time.count() < 0)
    return bad("latency_slack and promote_time are not negative");
  return {};
}

void Latencies::add(int64_t ns) {
  const auto value = static_cast<uint64_t>(std::max<int64_t>(ns, 8));
  const auto octave = static_cast<unsigned>(std::bit_width(value)) - 1;  // from 3 on
  ++buckets_[octave * 8 + ((value >> (octave - 3)) & 7)];
  ++count_;
}

int64_t Latencies::quantile(double part) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(part * static_cast<double>(count_)));
  uint64_t below = 0;
  for (size_t i = 0; i < buckets_.size() && count_ > 0; ++i) {
    below += buckets_[i];
    if (below >= wanted) return static_cast<int64_t>((i % 8 + 9) << (i / 8 - 3));
  }
  return 0;
}

Trial::Trial(TrialSpec spec, int64_t current, uint64_t seed, MonoTime start, int64_t started_ms)
    : spec_(spec), current_(current), seed_(seed), start_(start), started_ms_(started_ms) {}

double Trial::draw() {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;
  const uint64_t next = drawn_.fetch_add(1, std::memory_order_relaxed) + 1;
  return static_cast<double>(mix(seed_ + next * kGolden) >> 11) * 0x1p-53 * 100;
}

void Trial::succeeded(bool candidate, int64_t ns) {
  const std::lock_guard lock(mutex_);
  Side& side = candidate ? candidate_ : other_;
  ++side.requests;
  if (ns > 0) side.times.add(ns);
}

void Trial::failed(bool candidate) {
  const std::lock_guard lock(mutex_);
  Side& side = candidate ? candidate_ : other_;
  ++side.requests;
  ++side.errors;
}

void Trial::compared(const Comparison& comparison) {
  const bool disagrees = comparison.other_form || comparison.other_class ||
                         comparison.other_exact || comparison.over ||
                         (spec_.compare_values && comparison.max_difference > spec_.tolerance);
  const std::lock_guard lock(mutex_);
  ++compared_;
  disagreed_ += disagrees ? 1 : 0;
  max_difference_ = std::max(max_difference_, comparison.max_difference);
}

void Trial::dropped() {
  const std::lock_guard lock(mutex_);
  ++dropped_;
}

// Why the candidate is worse, under the lock.
std::optional<std::string> Trial::against() const {
  const double errors = rate(candidate_.errors, candidate_.requests),
               usual = rate(other_.errors, other_.requests);
  if (candidate_.requests >= spec_.min_requests && errors > usual + spec_.max_error_rate)
    return "errors: " + percent(errors) + " of its " + std::to_string(candidate_.requests) +
           " requests failed, " + percent(usual) + " of the current version's";
  if (compared_ >= spec_.min_requests && rate(disagreed_, compared_) > spec_.max_disagreement)
    return "disagreement: " + percent(rate(disagreed_, compared_)) + " of " +
           std::to_string(compared_) + " answers are others than the current version's";
  if (spec_.max_latency_ratio > 0 && candidate_.times.count() >= spec_.min_requests &&
      other_.times.count() >= spec_.min_requests) {
    const int64_t slow = candidate_.times.quantile(0.95), before = other_.times.quantile(0.95);
    const auto slack = std::chrono::nanoseconds(spec_.latency_slack).count();
    if (static_cast<double>(slow) > spec_.max_latency_ratio * static_cast<double>(before) &&
        slow - before > slack)
      return "latency: its 95th percentile is " + milliseconds(slow) +
             ", the current version's is " + milliseconds(before);
  }
  return std::nullopt;
}

std::optional<Verdict> Trial::verdict(MonoTime now) const {
  const std::lock_guard lock(mutex_);
  if (state_ != TrialState::running) return std::nullopt;
  if (auto why = against()) return Verdict{TrialState::rolled_back, std::move(*why)};
  const uint64_t good = candidate_.requests - candidate_.errors;
  const bool asked = spec_.promote_after > 0 || spec_.promote_time.count() > 0;
  if (!asked || candidate_.requests < spec_.min_requests || good < spec_.promote_after ||
      now - start_ < spec_.promote_time)
    return std::nullopt;
  return Verdict{TrialState::promoted, std::to_string(good) + " good requests"};
}

bool Trial::end(TrialState state, std::string reason) {
  const std::lock_guard lock(mutex_);
  if (state_ != TrialState::running) return false;
  state_ = state;
  reason_ = std::move(reason);
  running_.store(false, std::memory_order_release);
  return true;
}

TrialReport Trial::report() const {
  const std::lock_guard lock(mutex_);
  TrialReport out{.state = state_, .reason = reason_};
  const auto arm = [](const Side& side) {
    return Arm{side.requests, side.errors, side.times.quantile(0.95)};
  };
  out.candidate = arm(candidate_);
  out.current = arm(other_);
  out.compared = compared_;
  out.disagreed = disagreed_;
  out.dropped = dropped_;
  out.max_difference = max_difference_;
  return out;
}

}  // namespace holdfast::inference
