#include "measure/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace plumb {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

json record(const std::vector<double>& rates, int n_prompt = 0, int n_gen = 128, int threads = 2) {
  return {{"model_filename", "/models/a.gguf"},
          {"n_threads", threads},
          {"n_prompt", n_prompt},
          {"n_gen", n_gen},
          {"n_depth", 0},
          {"samples_ts", rates}};
}
std::vector<TestRates> results(const std::vector<json>& records) {
  return parse_results(json(records).dump(), "r.json");
}
std::string refusal(const std::string& text) {
  try {
    parse_results(text, "r.json");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Results, JsonJsonLinesAndChatterBetween) {
  const std::string one = record({10, 11}).dump();
  EXPECT_EQ(parse_results("[" + one + "]", "x").size(), 1u);
  const auto lines = parse_results("loading...\n" + one + "\n\n" + one + "\nbye { x }\n", "x");
  ASSERT_EQ(lines.size(), 1u) << "runs of the same test belong together";
  EXPECT_THAT(lines[0].rates, ElementsAre(10, 11, 10, 11));
  EXPECT_EQ(results({record({1}), record({2}, 0, 128, 4), record({3}, 512, 0)}).size(), 3u);
}

TEST(Results, TimesAreRates) {
  json r = record({1}, 100, 28);
  r["samples_ns"] = {1'000'000'000, 500'000'000};
  EXPECT_THAT(results({r})[0].rates, ElementsAre(128, 256));
}

TEST(Results, OldRecordsHaveNoDepth) {
  json r = record({1});
  r.erase("n_depth");
  EXPECT_EQ(results({r})[0].test.n_depth, 0);
}

TEST(Results, WhatIsNoneIsRefusedByName) {
  const auto with = [](const char* field, const json& value) {
    json r = record({10, 11});
    r[field] = value;
    return refusal("[" + r.dump() + "]");
  };
  EXPECT_THAT(refusal(""), HasSubstr("nothing"));
  EXPECT_THAT(refusal("| model | size |"), HasSubstr("-o json"));
  EXPECT_THAT(refusal("[1,2"), HasSubstr("r.json: expected JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("r.json"));
  EXPECT_THAT(refusal("[7]"), HasSubstr("record 1: expected an object"));
  EXPECT_THAT(refusal("{\"a\":1}"), HasSubstr("n_prompt"));
  EXPECT_THAT(with("samples_ts", json::array()), HasSubstr("samples_ts"));
  EXPECT_THAT(with("samples_ts", 5), HasSubstr("samples_ts"));
  EXPECT_THAT(with("samples_ts", {1, 0}), HasSubstr("positive"));
  EXPECT_THAT(with("samples_ts", {1, -3}), HasSubstr("positive"));
  EXPECT_THAT(with("samples_ts", {1, "x"}), HasSubstr("positive"));
  EXPECT_THAT(with("samples_ns", {0}), HasSubstr("positive"));
  EXPECT_THAT(with("n_gen", -1), HasSubstr("n_gen"));
  EXPECT_THAT(with("n_gen", 1.5), HasSubstr("n_gen"));
  EXPECT_THAT(with("n_gen", 0), HasSubstr("n_gen"));
  EXPECT_THAT(with("n_prompt", UINT64_MAX), HasSubstr("n_prompt"));
  EXPECT_THAT(refusal(std::string(1 << 20, '[')), HasSubstr("levels"));
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "{}\n";
  EXPECT_THAT(refusal(many), HasSubstr("at most"));
}

Verdict verdict(const std::vector<double>& a, const std::vector<double>& b) {
  return compare_results(results({record(a)}), results({record(b)})).verdict();
}

TEST(CompareFiles, VerdictsByTheRules) {
  const std::vector<double> a{100, 101, 99, 100.5, 99.5};
  EXPECT_EQ(verdict(a, {110, 111, 109, 110.5, 109.5}), Verdict::better);
  EXPECT_EQ(verdict(a, {90, 91, 89, 90.5, 89.5}), Verdict::worse);
  EXPECT_EQ(verdict(a, a), Verdict::no_difference);
  EXPECT_EQ(verdict(a, {101.5, 102.5, 100.5, 102, 101}), Verdict::no_difference) << "below 2 %";
  EXPECT_EQ(verdict({100, 109, 92, 95, 104}, {103, 112, 95, 98, 107}), Verdict::no_difference)
      << "3 %, but in the noise";
}

TEST(CompareFiles, ScatteredOrFewRunsDecideNothing) {
  const auto reason = [](const std::vector<double>& a, const std::vector<double>& b) {
    const Comparison c = compare_results(results({record(a)}), results({record(b)}));
    EXPECT_EQ(c.verdict(), Verdict::no_difference);
    return c.tests[0].inconclusive;
  };
  EXPECT_THAT(reason({100, 100, 121}, {200, 200, 200}), HasSubstr("range"));
  EXPECT_THAT(reason({100, 100}, {200, 200}), HasSubstr("2 runs"));
  EXPECT_THAT(reason({100}, {200}), HasSubstr("1 runs"));
}

TEST(CompareFiles, EachTestIsHeldAgainstItself) {
  const std::vector<double> fast{110, 111, 109}, slow{90, 91, 89}, same{100, 101, 99};
  const Comparison c = compare_results(results({record(same, 512, 0), record(same)}),
                                       results({record(slow), record(fast, 512, 0)}));
  ASSERT_EQ(c.tests.size(), 2u);
  EXPECT_EQ(c.tests[0].test, "pp512");
  EXPECT_EQ(c.tests[0].verdict, Verdict::better);
  EXPECT_EQ(c.tests[1].verdict, Verdict::worse);
  EXPECT_EQ(c.verdict(), Verdict::worse) << "what is lost elsewhere reverts";
  EXPECT_NEAR(c.estimate().ratio, std::sqrt(1.1 * 0.9), 1e-3);
}

TEST(CompareFiles, SetUpsTellTestsApart) {
  const std::vector<double> one{50, 51, 49}, two{100, 101, 99};
  const auto a = results({record(one, 0, 128, 1), record(two, 0, 128, 2)});
  const auto c = compare_results(a, results({record(two, 0, 128, 2), record(one, 0, 128, 4)}));
  ASSERT_EQ(c.tests.size(), 1u);
  EXPECT_EQ(c.tests[0].verdict, Verdict::no_difference);
  EXPECT_THAT(c.tests[0].test, HasSubstr("n_threads=2"));
  EXPECT_EQ(c.left_out.size(), 2u);
  const auto other =
      compare_results(results({record(one, 0, 128, 1)}), results({record(two, 0, 128, 2)}));
  EXPECT_EQ(other.verdict(), Verdict::better) << "the set-up is what is compared";
  EXPECT_THROW(compare_results(a, results({record(one, 512, 0)})), Error);
}

Comparison rounds(int n, double speed_b) {
  std::vector<Round> all;
  for (int i = 0; i < n; ++i) {
    const double level = 100 * (1 + 0.4 * std::sin(i)), noise = 1 + 0.004 * (i % 3);
    all.push_back({results({record({level, 3, level})}),
                   results({record({level * speed_b * noise, level * speed_b * noise, 1e6})})});
  }
  return compare_rounds(all);
}

TEST(CompareRounds, TurnsSeeThroughAChangingMachine) {
  EXPECT_EQ(rounds(12, 0.95).verdict(), Verdict::worse);
  EXPECT_EQ(rounds(12, 1.05).verdict(), Verdict::better);
  EXPECT_EQ(rounds(12, 1).verdict(), Verdict::no_difference);
  EXPECT_EQ(rounds(5, 0.9).verdict(), Verdict::worse) << "fewer than signs need";
  EXPECT_THROW(rounds(2, 0.9), Error);
}

TEST(CompareRounds, AllRoundsHaveTheSameTests) {
  std::vector<Round> all(3, {results({record({1})}), results({record({1})})});
  all[2].b = results({record({1}, 512, 0)});
  EXPECT_THROW(compare_rounds(all), Error);
}

TEST(CompareOutput, JsonHasTheFieldsOfTheContract) {
  const json j = json::parse(to_json(rounds(12, 0.95)).dump());
  EXPECT_EQ(j["verdict"], "worse");
  EXPECT_NEAR(j["ratio"].get<double>(), 0.954, 0.01);
  EXPECT_LT(j["interval"][0], j["ratio"]);
  EXPECT_GT(j["interval"][1], j["ratio"]);
  EXPECT_EQ(j["samples_a"], 12);
  EXPECT_EQ(j["samples_b"], 12);
  const Comparison one = compare_results(results({record({1})}), results({record({1})}));
  EXPECT_TRUE(json::parse(to_json(one).dump())["interval"][1].is_null());
}

}  // namespace
}  // namespace plumb
