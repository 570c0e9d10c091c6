#include "measure/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace plumb {
namespace {

// Tables of Student's distribution, two-sided.
TEST(Statistics, StudentsT) {
  EXPECT_NEAR(student_t(0.95, 1), 12.706, 1e-3);
  EXPECT_NEAR(student_t(0.99, 4), 4.604, 1e-3);
  EXPECT_NEAR(student_t(0.95, 30), 2.042, 1e-3);
  EXPECT_NEAR(student_t(0.99, 2.5), 7.453, 0.6);  // between 9.925 and 5.841
  EXPECT_NEAR(student_t(0.99, 1e7), 2.5758, 1e-3);
}

// Tables of Wilcoxon's signed-rank test: the largest sum that is significant at 0.01, two-sided.
TEST(Statistics, SignedRanks) {
  EXPECT_EQ(signed_rank_cut(0.99, 7), -1);
  EXPECT_EQ(signed_rank_cut(0.99, 8), 0);
  EXPECT_EQ(signed_rank_cut(0.99, 10), 3);
  EXPECT_EQ(signed_rank_cut(0.99, 20), 37);
  EXPECT_EQ(signed_rank_cut(0.95, 25), 89);
  const double exact = signed_rank_cut(0.99, 100), normal = signed_rank_cut(0.99, 101);
  EXPECT_NEAR(normal - exact, 37, 8) << "no step where the normal approximation begins";
}

TEST(Statistics, MediansAndRanges) {
  EXPECT_EQ(median(std::vector{3.0, 1.0, 2.0}), 2);
  EXPECT_EQ(median(std::vector{4.0, 1.0, 2.0, 3.0}), 2.5);
  EXPECT_EQ(relative_range(std::vector{90.0, 100.0, 110.0}), 0.2);
}

TEST(Statistics, SameRatesNoDifference) {
  const std::vector<double> a(10, 100.0), b(10, 110.0);
  const RatioEstimate paired = paired_ratio(a, b), unpaired = unpaired_ratio(a, b);
  for (const RatioEstimate& e : {paired, unpaired}) {
    EXPECT_NEAR(e.ratio, 1.1, 1e-12);
    EXPECT_NEAR(e.low, 1.1, 1e-12);
    EXPECT_NEAR(e.high, 1.1, 1e-12);
  }
}

TEST(Statistics, TurnedAroundTheyAreTheInverse) {
  const std::vector<double> a{100, 98, 103, 95, 101, 99, 97, 104, 100},
      b{96, 99, 97, 94, 95, 93, 96, 98, 92};
  for (const auto f : {paired_ratio, unpaired_ratio}) {
    const RatioEstimate forth = f(a, b, 0.99), back = f(b, a, 0.99);
    EXPECT_NEAR(forth.ratio * back.ratio, 1, 1e-12);
    EXPECT_NEAR(forth.low * back.high, 1, 1e-12);
    EXPECT_LT(forth.low, forth.ratio);
    EXPECT_LT(forth.ratio, forth.high);
  }
}

// Rates on a machine that others use: a level that wanders slowly and hits neighbours alike, small
// noise, and every tenth run slowed by a heavy-tailed factor (Pareto with infinite variance).
class BusyMachine {
 public:
  explicit BusyMachine(uint64_t seed) : random_(seed) {}
  double rate(double speed) {
    level_ = 0.9 * level_ + 0.05 * normal_(random_);
    double log_rate = std::log(speed) + level_ + 0.01 * normal_(random_);
    if (uniform_(random_) < 0.1) log_rate -= 0.05 * (std::pow(1 - uniform_(random_), -1 / 1.5));
    return std::exp(log_rate);
  }
  RatioEstimate compare(double speed_b, int rounds) {
    std::vector<double> a, b;
    for (int i = 0; i < rounds; ++i) {
      if (i % 2) a.push_back(rate(100));
      b.push_back(rate(100 * speed_b));
      if (i % 2 == 0) a.push_back(rate(100));
    }
    return paired_ratio(a, b);
  }

 private:
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  std::uniform_real_distribution<double> uniform_;
  double level_ = 0;
};

TEST(Statistics, HeavyTailsDoNotMakeDifferences) {
  BusyMachine machine(1);
  int outside = 0;
  constexpr int kTries = 1000;
  for (int i = 0; i < kTries; ++i) {
    const RatioEstimate e = machine.compare(1, 20);
    outside += e.low > 1 || e.high < 1;
  }
  EXPECT_LE(outside, kTries * 2 / 100) << "an interval of 99 %";
}

TEST(Statistics, HeavyTailsDoNotHideADifference) {
  BusyMachine machine(2);
  int found = 0;
  constexpr int kTries = 200;
  for (int i = 0; i < kTries; ++i) found += machine.compare(0.9, 20).high < 1;
  EXPECT_GE(found, kTries * 80 / 100);
}

// What the ranks are for: the mean and Student's t lose a difference to one slow run.
TEST(Statistics, OneOutlierIsOneVoice) {
  std::vector<double> a, b;
  for (int i = 0; i < 16; ++i) {
    a.push_back(100 + i % 3);
    b.push_back(95 + (i + 1) % 3);
  }
  a[7] = 3;
  const RatioEstimate e = paired_ratio(a, b);
  EXPECT_LT(e.high, 1);
  EXPECT_NEAR(e.ratio, 0.95, 0.02);
}

}  // namespace
}  // namespace plumb
