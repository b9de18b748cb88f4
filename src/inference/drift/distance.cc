#include "inference/drift/distance.h"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>
#include <numeric>

namespace holdfast::inference {
namespace {

using Counts = std::span<const uint64_t>;

double sum_of(Counts counts) {
  return static_cast<double>(std::accumulate(counts.begin(), counts.end(), uint64_t{0}));
}

// Bins that are not empty in both, less one.
double freedom(Counts expected, Counts actual) {
  double used = 0;
  for (size_t i = 0; i < expected.size(); ++i) used += expected[i] + actual[i] > 0 ? 1 : 0;
  return used - 1;
}

}  // namespace

double psi(Counts expected, Counts actual) {
  const auto bins = static_cast<double>(expected.size());
  const double n = sum_of(expected) + bins / 2, m = sum_of(actual) + bins / 2;
  double out = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double p = (static_cast<double>(expected[i]) + 0.5) / n;
    const double q = (static_cast<double>(actual[i]) + 0.5) / m;
    out += (q - p) * std::log(q / p);
  }
  return out;
}

double psi_by_chance(Counts expected, Counts actual, double alpha) {
  const double n = sum_of(expected), m = sum_of(actual), free = freedom(expected, actual);
  if (n == 0 || m == 0 || free < 1) return 0;
  const boost::math::chi_squared distribution(free);
  return boost::math::quantile(boost::math::complement(distribution, alpha)) * (1 / n + 1 / m);
}

double ks(std::span<const float> one, std::span<const float> other) {
  if (one.empty() || other.empty()) return 0;
  const auto n = static_cast<double>(one.size()), m = static_cast<double>(other.size());
  double most = 0;
  for (size_t i = 0, j = 0; i < one.size() && j < other.size();) {
    const float at = std::min(one[i], other[j]);
    while (i < one.size() && one[i] <= at) ++i;
    while (j < other.size() && other[j] <= at) ++j;
    most = std::max(most, std::abs(static_cast<double>(i) / n - static_cast<double>(j) / m));
  }
  return most;
}

double ks_by_chance(size_t n, size_t m, double alpha) {
  if (n == 0 || m == 0) return 1;
  const auto a = static_cast<double>(n), b = static_cast<double>(m);
  return std::sqrt(-std::log(alpha / 2) / 2 * (a + b) / (a * b));
}

double class_distance(Counts expected, Counts actual) {
  const double n = sum_of(expected), m = sum_of(actual);
  if (n == 0 || m == 0) return 0;
  double divergence = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double p = static_cast<double>(expected[i]) / n, q = static_cast<double>(actual[i]) / m;
    if (p > 0) divergence += p * std::log2(2 * p / (p + q)) / 2;
    if (q > 0) divergence += q * std::log2(2 * q / (p + q)) / 2;
  }
  return std::sqrt(std::max(0.0, divergence));
}

double class_probability(Counts expected, Counts actual) {
  const double n = sum_of(expected), m = sum_of(actual), free = freedom(expected, actual);
  if (n == 0 || m == 0 || free < 1) return 1;
  double g = 0;
  const auto add = [&g](double observed, double wanted) {
    if (observed > 0) g += 2 * observed * std::log(observed / wanted);
  };
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto a = static_cast<double>(expected[i]), b = static_cast<double>(actual[i]);
    add(a, n * (a + b) / (n + m));
    add(b, m * (a + b) / (n + m));
  }
  const boost::math::chi_squared distribution(free);
  return boost::math::cdf(boost::math::complement(distribution, std::max(0.0, g)));
}

}  // namespace holdfast::inference
