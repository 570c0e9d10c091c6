#include "measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/error.h"

namespace plumb {
namespace {

std::vector<double> logs(std::span<const double> values) {
  std::vector<double> out;
  for (const double v : values) out.push_back(std::log(v));
  return out;
}

RatioEstimate from_logs(double middle, double low, double high) {
  return {std::exp(middle), std::exp(low), std::exp(high)};
}

RatioEstimate student(std::span<const double> differences, double confidence) {
  const double middle = mean(differences);
  const double half = student_t(confidence, static_cast<double>(differences.size() - 1)) *
                      std::sqrt(squared_error(differences));
  return from_logs(middle, middle - half, middle + half);
}

// The continued fraction of the incomplete beta function (Abramowitz & Stegun 26.5.8), by Lentz's
// method.
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300, kClose = 1e-14;
  double c = 1, d = 1 / std::max(kTiny, 1 - (a + b) * x / (a + 1)), value = d;
  for (int m = 1; m <= 1000; ++m) {
    for (const bool odd : {false, true}) {
      const double step = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                              : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 / (1 + step * d);
      c = 1 + step / c;
      value *= c * d;
      if (odd && std::abs(c * d - 1) < kClose) return value;
    }
  }
  return value;
}

// P(|T| > t) for Student's distribution (Abramowitz & Stegun 26.7.1).
double both_tails(double t, double degrees) {
  const double a = degrees / 2, b = 0.5, x = degrees / (degrees + t * t);
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

}  // namespace

double student_t(double confidence, double degrees) {
  double low = 0, high = 1;
  while (both_tails(high, degrees) > 1 - confidence && high < 1e12) high *= 2;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (middle > 0 && both_tails(middle, degrees) <= 1 - confidence ? high : low) = middle;
  }
  return high;
}

int sign_cut(double confidence, int n) {
  const double tail = (1 - confidence) / 2;
  double share = std::exp2(-n), below = 0;  // P(exactly k), P(at most k)
  for (int k = 0;; ++k) {
    below += share;
    if (below > tail) return k - 1;
    share *= static_cast<double>(n - k) / (k + 1);
  }
}

RatioEstimate paired_ratio(std::span<const double> a, std::span<const double> b,
                           double confidence) {
  CHECK(a.size() == b.size() && a.size() >= 2, "{} and {} rates", a.size(), b.size());
  std::vector<double> differences;
  for (size_t i = 0; i < a.size(); ++i) differences.push_back(std::log(b[i] / a[i]));
  const int cut = sign_cut(confidence, static_cast<int>(a.size()));
  if (cut < 0) return student(differences, confidence);
  std::ranges::sort(differences);
  const auto outside = static_cast<size_t>(cut);
  return from_logs(median(differences), differences[outside],
                   differences[differences.size() - 1 - outside]);
}

RatioEstimate unpaired_ratio(std::span<const double> a, std::span<const double> b,
                             double confidence) {
  CHECK(a.size() >= 2 && b.size() >= 2, "{} and {} rates", a.size(), b.size());
  const std::vector<double> log_a = logs(a), log_b = logs(b);
  const double middle = mean(log_b) - mean(log_a);
  const double of_a = squared_error(log_a), of_b = squared_error(log_b), both = of_a + of_b;
  if (both <= 0) return from_logs(middle, middle, middle);
  const double degrees = both * both /
                         (of_a * of_a / static_cast<double>(a.size() - 1) +
                          of_b * of_b / static_cast<double>(b.size() - 1));
  const double half = student_t(confidence, degrees) * std::sqrt(both);
  return from_logs(middle, middle - half, middle + half);
}

double mean(std::span<const double> values) {
  CHECK(!values.empty(), "no values");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double squared_error(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double middle = mean(values), n = static_cast<double>(values.size());
  double squares = 0;
  for (const double v : values) squares += (v - middle) * (v - middle);
  return squares / (n - 1) / n;
}

double median(std::span<const double> values) {
  CHECK(!values.empty(), "no values");
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const size_t half = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

double relative_range(std::span<const double> values) {
  const auto [smallest, largest] = std::ranges::minmax(values);
  return (largest - smallest) / median(values);
}

}  // namespace plumb
