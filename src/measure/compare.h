#pragma once
// Did a change make things better? B against A by the project's rules: a difference counts when it
// is 2 % or more and beyond the noise, of three runs or more; scattered results decide nothing.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "measure/results.h"
#include "measure/statistics.h"

namespace plumb {

enum class Verdict { better, worse, no_difference };
std::string_view verdict_name(Verdict verdict);  // "better", "worse", "no difference"

inline constexpr double kLeastDifference = 0.02;  // of the ratio
inline constexpr double kWidestRange = 0.20;      // of results that were not taken in turns
inline constexpr size_t kFewestRuns = 3;
inline constexpr double kUnknownMovement = 0.05;  // of a machine of which a file says nothing

struct TestComparison {
  std::string test;                      // "tg128"
  std::vector<std::string> differs;      // settings: "n_threads 1 -> 2"
  std::vector<double> rates_a, rates_b;  // tokens per second; of rounds, where taken in turns
  RatioEstimate estimate;
  Verdict verdict = Verdict::no_difference;
  std::string inconclusive;  // why nothing can be said; "": something can
  // Of two files: how far apart the machine's limits were that stand in them (0.1: 10 %), or
  // kUnknownMovement. The interval is that much wider on both sides.
  double movement = 0;
};

struct Comparison {
  std::vector<TestComparison> tests;
  // Of all tests: worse where one is worse, else better where one is better. Ratio and interval are
  // the one test's, or the geometric mean of all.
  Verdict verdict() const;
  RatioEstimate estimate() const;
  std::vector<std::string> left_out;  // tests that only one side has
};

// Two result files: measured at different times. Inconclusive are fewer than three runs, a range
// above 20 %, a machine that was busy, limits that were not recorded, and differences that are no
// larger than what the limits moved. A test is held against the same test with the same settings
// or, where each side has it once, whatever they are: `differs` has them. Error: no test in common.
Comparison compare_results(const std::vector<TestRates>& a, const std::vector<TestRates>& b);

// Rounds of two commands in turns, each round the results of both: of a test the median of its
// repetitions counts. Error: rounds that differ in their tests, fewer than three.
struct Round {
  std::vector<TestRates> a, b;
};
Comparison compare_rounds(const std::vector<Round>& rounds);

nlohmann::ordered_json to_json(const Comparison& comparison);
std::string to_text(const Comparison& comparison);

}  // namespace plumb
