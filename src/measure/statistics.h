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
// more the median of their ratios and its interval by the sign test (Hollander & Wolfe,
// Nonparametric Statistical Methods, 3.4 to 3.6): where A and B are the same program and take turns
// in going first, B is as likely the faster of a pair as the slower, which is all that it assumes.
// Where other programs come and go, some pairs differ by a percent and some by half: ranks and
// means give the bad ones more to say (docs/experiments.md). With fewer pairs, of which no signs
// can be that sure, Student's t. At least two pairs.
RatioEstimate paired_ratio(std::span<const double> a, std::span<const double> b,
                           double confidence = kConfidence);

// From rates measured at different times: Welch's t. At least two of each.
RatioEstimate unpaired_ratio(std::span<const double> a, std::span<const double> b,
                             double confidence = kConfidence);

// Of at least one.
double mean(std::span<const double> values);
double median(std::span<const double> values);
// Of the mean, its square: the sample's variance over n; 0 of a single value.
double squared_error(std::span<const double> values);
double relative_range(std::span<const double> values);  // (largest - smallest) / median

// The t that |T| exceeds with probability 1 - confidence.
double student_t(double confidence, double degrees_of_freedom);
// How many of n values lie outside the interval of their median on each side: the largest k with
// P(at most k of n coins show heads) <= (1 - confidence) / 2; -1: none, n is too small.
int sign_cut(double confidence, int n);

}  // namespace plumb
