#include <algorithm>
#include <cmath>

#include "inference/measure/tune.h"

namespace holdfast::inference {
namespace {

constexpr double kWorthIt = 1.03;

double median(std::vector<double> of) {
  std::ranges::sort(of);
  return of.empty() ? 1 : of[of.size() / 2];
}

}  // namespace

std::vector<Tuning> candidates_for(unsigned cores, bool reduced_precision, bool quantized) {
  std::vector<Tuning> out;
  for (const char* engine : {"onnxruntime", "openvino"}) {
    // All powers of two up to all cores; what is left over makes lanes.
    for (unsigned threads = 1; threads <= cores; threads *= 2) {
      Tuning tuning;
      tuning.engine = engine;
      tuning.threads = static_cast<int>(threads);
      tuning.lanes = std::max(1u, cores / threads);
      out.push_back(tuning);
      const bool half = tuning.engine == "openvino";
      for (const char* precision : {"bf16", "f16", "int8"}) {
        tuning.precision = precision;
        const bool able = tuning.in_8_bits() ? quantized : half;
        if (reduced_precision && able) out.push_back(tuning);
      }
    }
  }
  return out;
}

bool better(const Candidate& usual, Candidate& candidate, Goal goal) {
  std::vector<double> faster, more, gains;
  const size_t rounds = std::min(usual.rate.size(), candidate.rate.size());
  for (size_t i = 0; i < rounds; ++i) {
    faster.push_back(usual.p50_us[i] / candidate.p50_us[i]);
    more.push_back(candidate.rate[i] / usual.rate[i]);
    gains.push_back(goal == Goal::latency      ? faster.back()
                    : goal == Goal::throughput ? more.back()
                                               : std::sqrt(faster.back() * more.back()));
  }
  candidate.faster = median(faster);
  candidate.more = median(more);
  candidate.gain = median(gains);
  std::ranges::sort(gains);
  // One round may have been disturbed by something else; two are the candidate's own doing.
  candidate.least = gains.empty() ? 1 : gains[gains.size() > 2 ? 1 : 0];
  const bool slower = (goal != Goal::throughput && candidate.faster < 1) ||
                      (goal != Goal::latency && candidate.more < 1);
  return candidate.gain > kWorthIt && candidate.least > 1 && !slower;
}

}  // namespace holdfast::inference
