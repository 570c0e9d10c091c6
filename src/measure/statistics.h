#pragma once
// How sure one can be of a ratio of two rates. All work on logarithms, so that B against A and A
// against B say the same.

#include <span>

namespace plumb {

inline constexpr double kConfidence = 0.99;

struct RatioEstimate {
  double ratio;
  double low, high;  // the confidence interval
};

// From rates that were measured in turns: a[i] and b[i] next to each other in time. With 8 pairs or
// more the Hodges-Lehmann estimate and the signed-rank interval (Hollander & Wolfe, Nonparametric
// Statistical Methods, 3.2 and 3.3): where A and B are the same program and take turns in going
// first, a pair's log-ratio is as likely to be x as -x, which is all they assume: the noise may
// have any tails. With fewer pairs, of which no ranks can be that sure, Student's t. At least two
// pairs.
RatioEstimate paired_ratio(std::span<const double> a, std::span<const double> b,
                           double confidence = kConfidence);

// From rates measured at different times: Welch's t. At least two of each.
RatioEstimate unpaired_ratio(std::span<const double> a, std::span<const double> b,
                             double confidence = kConfidence);

double median(std::span<const double> values);          // of at least one
double relative_range(std::span<const double> values);  // (largest - smallest) / median

// The t that |T| exceeds with probability 1 - confidence.
double student_t(double confidence, double degrees_of_freedom);
// How many of the smallest pair means lie outside the signed-rank interval on each side: the
// largest k with P(T <= k) <= (1 - confidence) / 2 for T of n pairs; -1: none, n is too small.
int signed_rank_cut(double confidence, int n);

}  // namespace plumb
