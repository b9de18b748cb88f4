// How far two samples of one quantity are apart, and how far they may be by chance alone. Plain
// functions. Counts are rows in the same bins or classes; n and m are the sizes of the samples.
//
// Sources: PSI with its usual reading (0.1 a little, 0.2 much): Siddiqi, Credit Risk Scorecards
// (2006); its distribution: Yurdakul, Statistical Properties of Population Stability Index (2018);
// two-sample Kolmogorov–Smirnov: Smirnov (1948); Jensen–Shannon: Endres and Schindelin (2003);
// likelihood ratio of a contingency table: Wilks (1938). Azure ML's model monitoring has the same
// metrics.
#pragma once

#include <cstdint>
#include <span>

namespace holdfast::inference {

// Population stability index: Σ (q − p) ln(q / p) over the bins, p and q being the parts
// (count + ½) / (n + ½ bins): half a row in every bin, so that an empty one is no infinity.
double psi(std::span<const uint64_t> expected, std::span<const uint64_t> actual);
// Exceeded by samples of one distribution with the probability `alpha`: the quantile of chi-squared
// with (bins that are not empty in both) − 1 degrees of freedom, times (1/n + 1/m).
double psi_by_chance(std::span<const uint64_t> expected, std::span<const uint64_t> actual,
                     double alpha);

// sup |F(x) − G(x)| of the two empirical distributions: scipy.stats.ks_2samp's statistic. Both
// sorted, without NaN; 0 where one is empty.
double ks(std::span<const float> one, std::span<const float> other);
// Exceeded with about the probability `alpha`: sqrt(−ln(alpha / 2) / 2 · (n + m) / (n m)). With
// ties, less often. 1 where one is empty.
double ks_by_chance(size_t n, size_t m, double alpha);

// Jensen–Shannon distance of the two class mixes with logarithms of base 2: 0 the same, 1 nothing
// in common. 0 where one is empty.
double class_distance(std::span<const uint64_t> expected, std::span<const uint64_t> actual);
// The probability that samples of one distribution differ as much as these: of G = 2 Σ O ln(O / E)
// over both rows of the contingency table, chi-squared with (classes that occur) − 1 degrees of
// freedom.
double class_probability(std::span<const uint64_t> expected, std::span<const uint64_t> actual);

}  // namespace holdfast::inference
