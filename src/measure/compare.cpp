#include "measure/compare.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "measure/machine_state.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

struct Pair {
  std::string name;
  const TestRates *a, *b;
};

bool is_unique(const std::vector<TestRates>& all, const TestRates& test) {
  return std::ranges::count_if(all, [&](const TestRates& r) { return r.is_same_test(test); }) == 1;
}

// Settings that not all results share.
class Varying {
 public:
  void add(const std::vector<TestRates>& results) {
    for (const TestRates& r : results)
      for (const auto& setting : r.settings) values_[setting.first].insert(setting.second);
  }
  std::string full_name(const TestRates& r) const {
    std::string settings;
    for (const auto& [name, value] : r.settings)
      if (values_.at(name).size() > 1)
        settings += fmt::format("{}{}={}", settings.empty() ? "" : " ", name, value);
    return settings.empty() ? r.name() : fmt::format("{} ({})", r.name(), settings);
  }

 private:
  std::map<std::string, std::set<std::string>> values_;
};

// The same test of the other side: whatever the settings where it is the only one (they are what is
// compared), else the one with the same settings.
std::vector<Pair> pair_up(const std::vector<TestRates>& a, const std::vector<TestRates>& b,
                          std::vector<std::string>& left_out) {
  std::vector<Pair> pairs;
  std::set<const TestRates*> taken;
  Varying names;
  names.add(a);
  names.add(b);
  for (const TestRates& of_a : a) {
    const bool unique = is_unique(a, of_a) && is_unique(b, of_a);
    const auto of_b = std::ranges::find_if(b, [&](const TestRates& r) {
      return r.is_same_test(of_a) && !taken.contains(&r) &&
             (unique || differences(of_a, r).empty());
    });
    if (of_b == b.end()) {
      left_out.push_back("A: " + names.full_name(of_a));
      continue;
    }
    pairs.push_back({unique ? of_a.name() : names.full_name(of_a), &of_a, &*of_b});
    taken.insert(&*of_b);
  }
  for (const TestRates& of_b : b)
    if (!taken.contains(&of_b)) left_out.push_back("B: " + names.full_name(of_b));
  if (pairs.empty())
    fail("compare: expected a test that both have, got {}", fmt::join(left_out, ", "));
  return pairs;
}

Verdict judge(const RatioEstimate& e) {
  if (e.ratio >= 1 + kLeastDifference && e.low > 1) return Verdict::better;
  if (e.ratio <= 1 - kLeastDifference && e.high < 1) return Verdict::worse;
  return Verdict::no_difference;
}

// Of the largest limit over the smallest, of all that were measured for both; none where one side
// has none.
std::optional<double> movement_of(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.empty() || b.empty()) return std::nullopt;
  const auto [least_a, most_a] = std::ranges::minmax(a);
  const auto [least_b, most_b] = std::ranges::minmax(b);
  return std::max(most_a, most_b) / std::min(least_a, least_b) - 1;
}

std::optional<double> movement_of(const Surroundings& a, const Surroundings& b) {
  if (!a.known() || !b.known()) return kUnknownMovement;
  const auto reads = movement_of(a.read_limits, b.read_limits);
  const auto macs = movement_of(a.macs_limits, b.macs_limits);
  if (!reads || !macs) return std::nullopt;
  return std::max(*reads, *macs);
}

RatioEstimate widened(const RatioEstimate& e, double movement) {
  return {e.ratio, e.low / (1 + movement), e.high * (1 + movement)};
}

// "": nothing of what stands in the files speaks against a verdict.
std::string why_not(const Surroundings& a, const Surroundings& b,
                    const std::optional<double>& movement) {
  const double others = std::max(a.others.value_or(0), b.others.value_or(0));
  if (others > kBusy)
    return fmt::format("other programs took {:.0f} % of the processors, expected at most {:.0f} %",
                       100 * others, 100 * kBusy);
  if (!movement) return "the machine's limits were not measured with both (--no-limit)";
  return "";
}

void judge_unpaired(TestComparison& t, const Surroundings& a, const Surroundings& b) {
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
    t.inconclusive = why_not(a, b, movement_of(a, b));
  t.movement = movement_of(a, b).value_or(0);
  const Verdict if_still = judge(t.estimate);
  t.estimate = widened(t.estimate, t.movement);
  if (!t.inconclusive.empty()) return;
  t.verdict = judge(t.estimate);
  if (t.verdict != if_still)
    t.inconclusive =
        fmt::format("the machine {} by {:.0f} %",
                    a.known() && b.known() ? "moved" : "may have moved", 100 * t.movement);
}

const TestRates& same_test(const std::vector<TestRates>& all, const TestRates& wanted,
                           size_t round) {
  const auto found = std::ranges::find_if(all, [&](const TestRates& r) {
    return r.is_same_test(wanted) && r.settings == wanted.settings;
  });
  if (found == all.end())
    fail("compare: round {}: expected the test {} again, with the same settings, got none",
         round + 1, wanted.name());
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
  j["differs"] = t.differs;
  j["machine_moved"] = t.movement;
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
    TestComparison t{.test = pair.name,
                     .differs = differences(*pair.a, *pair.b),
                     .rates_a = pair.a->rates,
                     .rates_b = pair.b->rates};
    judge_unpaired(t, pair.a->surroundings, pair.b->surroundings);
    out.tests.push_back(std::move(t));
  }
  return out;
}

Comparison compare_rounds(const std::vector<Round>& rounds) {
  if (rounds.size() < kFewestRuns)
    fail("compare: expected at least {} rounds, got {}", kFewestRuns, rounds.size());
  Comparison out;
  for (const Pair& pair : pair_up(rounds[0].a, rounds[0].b, out.left_out)) {
    TestComparison t{.test = pair.name, .differs = differences(*pair.a, *pair.b)};
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
  std::string out = fmt::format(
      "B against A: the median rates, the ratio with its {:.0f} % interval\n", 100 * kConfidence);
  for (const TestComparison& t : c.tests) {
    out +=
        fmt::format("{:<18} {:>10.2f} -> {:>10.2f} t/s   {:<24} {}{}\n", t.test, median(t.rates_a),
                    median(t.rates_b), estimate_text(t.estimate), verdict_name(t.verdict),
                    t.inconclusive.empty() ? "" : ": inconclusive, " + t.inconclusive);
    for (const std::string& setting : t.differs) out += fmt::format("  differs: {}\n", setting);
  }
  for (const std::string& name : c.left_out) out += fmt::format("only {}\n", name);
  return out + fmt::format("verdict: {}\n", verdict_name(c.verdict()));
}

}  // namespace plumb
