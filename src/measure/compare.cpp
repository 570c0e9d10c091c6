#include "measure/compare.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

struct Pair {
  std::string name;
  const TestRates *a, *b;
};

bool is_unique(const std::vector<TestRates>& all, const BenchTest& test) {
  return std::ranges::count(all, test, &TestRates::test) == 1;
}

std::string full_name(const TestRates& r) {
  return fmt::format("{} ({})", test_name(r.test), r.setup);
}

// The same test of the other side: whatever the set-up where it is the only one (that is what is
// compared), else the one with the same set-up.
std::vector<Pair> pair_up(const std::vector<TestRates>& a, const std::vector<TestRates>& b,
                          std::vector<std::string>& left_out) {
  std::vector<Pair> pairs;
  for (const TestRates& of_a : a) {
    const bool unique = is_unique(a, of_a.test) && is_unique(b, of_a.test);
    const auto of_b = std::ranges::find_if(b, [&](const TestRates& r) {
      return r.test == of_a.test && (unique || r.setup == of_a.setup);
    });
    if (of_b == b.end())
      left_out.push_back("A: " + full_name(of_a));
    else
      pairs.push_back({unique ? test_name(of_a.test) : full_name(of_a), &of_a, &*of_b});
  }
  for (const TestRates& of_b : b)
    if (std::ranges::find(pairs, &of_b, &Pair::b) == pairs.end())
      left_out.push_back("B: " + full_name(of_b));
  if (pairs.empty())
    fail("compare: expected a test that both have, got {}", fmt::join(left_out, ", "));
  return pairs;
}

Verdict judge(const RatioEstimate& e) {
  if (e.ratio >= 1 + kLeastDifference && e.low > 1) return Verdict::better;
  if (e.ratio <= 1 - kLeastDifference && e.high < 1) return Verdict::worse;
  return Verdict::no_difference;
}

void judge_unpaired(TestComparison& t) {
  const size_t fewest = std::min(t.rates_a.size(), t.rates_b.size());
  if (fewest < 2) {
    const double ratio = median(t.rates_b) / median(t.rates_a);
    t.estimate = {ratio, 0, INFINITY};
  } else {
    t.estimate = unpaired_ratio(t.rates_a, t.rates_b);
  }
  const double range = std::max(relative_range(t.rates_a), relative_range(t.rates_b));
  if (fewest < kFewestRuns)
    t.inconclusive = fmt::format("{} runs, expected at least {}", fewest, kFewestRuns);
  else if (range > kWidestRange)
    t.inconclusive = fmt::format("runs range over {:.0f} %, expected at most {:.0f} %", 100 * range,
                                 100 * kWidestRange);
  else
    t.verdict = judge(t.estimate);
}

const TestRates& same_test(const std::vector<TestRates>& all, const TestRates& wanted,
                           size_t round) {
  const auto found = std::ranges::find_if(
      all, [&](const TestRates& r) { return r.test == wanted.test && r.setup == wanted.setup; });
  if (found == all.end())
    fail("compare: round {}: expected the test {} again, got none", round + 1, full_name(wanted));
  return *found;
}

ordered_json finite(double value) {
  return std::isfinite(value) ? ordered_json(value) : nullptr;
}

ordered_json estimate_json(const RatioEstimate& e) {
  return {{"ratio", e.ratio}, {"interval", {finite(e.low), finite(e.high)}}};
}

ordered_json test_json(const TestComparison& t) {
  ordered_json j{{"test", t.test}, {"verdict", verdict_name(t.verdict)}};
  j.update(estimate_json(t.estimate));
  j["samples_a"] = t.rates_a.size();
  j["samples_b"] = t.rates_b.size();
  j["median_a"] = median(t.rates_a);
  j["median_b"] = median(t.rates_b);
  j["inconclusive"] = t.inconclusive.empty() ? nullptr : ordered_json(t.inconclusive);
  j["rates_a"] = t.rates_a;
  j["rates_b"] = t.rates_b;
  return j;
}

std::string estimate_text(const RatioEstimate& e) {
  if (!std::isfinite(e.high)) return fmt::format("{:.3f}", e.ratio);
  return fmt::format("{:.3f} ({:.3f} to {:.3f})", e.ratio, e.low, e.high);
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  constexpr std::string_view kNames[] = {"better", "worse", "no difference"};
  return kNames[static_cast<size_t>(verdict)];
}

Verdict Comparison::verdict() const {
  for (const Verdict v : {Verdict::worse, Verdict::better})
    if (std::ranges::find(tests, v, &TestComparison::verdict) != tests.end()) return v;
  return Verdict::no_difference;
}

RatioEstimate Comparison::estimate() const {
  double ratio = 0, low = 0, high = 0;
  for (const TestComparison& t : tests) {
    ratio += std::log(t.estimate.ratio);
    low += std::log(t.estimate.low);
    high += std::log(t.estimate.high);
  }
  const auto n = static_cast<double>(tests.size());
  return {std::exp(ratio / n), std::exp(low / n), std::exp(high / n)};
}

Comparison compare_results(const std::vector<TestRates>& a, const std::vector<TestRates>& b) {
  Comparison out;
  for (const Pair& pair : pair_up(a, b, out.left_out)) {
    TestComparison t{.test = pair.name, .rates_a = pair.a->rates, .rates_b = pair.b->rates};
    judge_unpaired(t);
    out.tests.push_back(std::move(t));
  }
  return out;
}

Comparison compare_rounds(const std::vector<Round>& rounds) {
  if (rounds.size() < kFewestRuns)
    fail("compare: expected at least {} rounds, got {}", kFewestRuns, rounds.size());
  Comparison out;
  for (const Pair& pair : pair_up(rounds[0].a, rounds[0].b, out.left_out)) {
    TestComparison t{.test = pair.name};
    for (size_t i = 0; i < rounds.size(); ++i) {
      t.rates_a.push_back(median(same_test(rounds[i].a, *pair.a, i).rates));
      t.rates_b.push_back(median(same_test(rounds[i].b, *pair.b, i).rates));
    }
    t.estimate = paired_ratio(t.rates_a, t.rates_b);
    t.verdict = judge(t.estimate);
    out.tests.push_back(std::move(t));
  }
  return out;
}

ordered_json to_json(const Comparison& c) {
  ordered_json j{{"verdict", verdict_name(c.verdict())}}, tests = ordered_json::array();
  size_t samples_a = 0, samples_b = 0;
  for (const TestComparison& t : c.tests) {
    samples_a += t.rates_a.size();
    samples_b += t.rates_b.size();
    tests.push_back(test_json(t));
  }
  j.update(estimate_json(c.estimate()));
  j["samples_a"] = samples_a;
  j["samples_b"] = samples_b;
  j["confidence"] = kConfidence;
  j["tests"] = std::move(tests);
  j["left_out"] = c.left_out;
  return j;
}

std::string to_text(const Comparison& c) {
  std::string out = fmt::format("B against A, with {:.0f} % intervals\n", 100 * kConfidence);
  for (const TestComparison& t : c.tests)
    out +=
        fmt::format("{:<18} {:>10.2f} -> {:>10.2f} t/s   {:<24} {}{}\n", t.test, median(t.rates_a),
                    median(t.rates_b), estimate_text(t.estimate), verdict_name(t.verdict),
                    t.inconclusive.empty() ? "" : ": inconclusive, " + t.inconclusive);
  for (const std::string& name : c.left_out) out += fmt::format("only {}\n", name);
  return out + fmt::format("verdict: {}\n", verdict_name(c.verdict()));
}

}  // namespace plumb
