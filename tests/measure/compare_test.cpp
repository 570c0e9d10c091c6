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

// Whatever programs say before and after, in the layouts that llama-bench and plumb print.
TEST(Results, ChatterAroundArraysAndObjects) {
  const json r = record({10, 11}), other = record({5}, 512, 0);
  const std::string before =
      "[info] loading {1}\n  warming up [1/2]\n[2024-01-01] x\n{\"n_gen\": 1}\n";
  for (const std::string& values :
       {json{r, other}.dump(), json{r, other}.dump(2), r.dump() + "\n" + other.dump(),
        r.dump(2) + "\n" + other.dump(2), "[\n" + r.dump(4) + ",\n" + other.dump() + "\n]\n[]"}) {
    const std::string text = before + values + "\nbye [x] {y}\n[done]\n";
    const auto found = parse_results(text, "x");
    ASSERT_EQ(found.size(), 2u) << text;
    EXPECT_THAT(found[0].rates, ElementsAre(10, 11));
    EXPECT_THAT(found[1].rates, ElementsAre(5));
  }
}

TEST(Results, BracketsInTexts) {
  json r = record({10});
  r["model_filename"] = "a]}\"{[\\.gguf";
  EXPECT_EQ(results({r, record({9}, 512, 0)}).size(), 2u);
}

// Two configurations are two tests, whichever of their fields it is that differs.
TEST(Results, ConfigurationsAreKeptApart) {
  for (const auto& [field, value] :
       std::vector<std::pair<const char*, json>>{{"instruction_set", "avx2"},
                                                 {"all_logits", true},
                                                 {"with_sampling", true},
                                                 {"no_repack", true},
                                                 {"plumb_backend", "x"},
                                                 {"warm_up", false},
                                                 {"cpu_info", "Other"},
                                                 {"model_type", "9B"},
                                                 {"poll", 0},
                                                 {"embeddings", true},
                                                 {"type_v", "f32"},
                                                 {"n_ubatch", 8}}) {
    json r = record({1});
    r[field] = value.is_boolean() ? json(!value.get<bool>()) : json("usual");
    json other = r;
    other[field] = value;
    EXPECT_EQ(results({r, r, other}).size(), 2u) << field;
  }
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
  EXPECT_THAT(refusal("[{\"n_prompt\":1,"), HasSubstr("r.json: expected JSON"));
  EXPECT_THAT(refusal("{\"n_prompt\":1,\n"), HasSubstr("r.json: expected JSON"));
  EXPECT_THAT(refusal("[1,2"), HasSubstr("-o json"));
  EXPECT_THAT(refusal("[]"), HasSubstr("r.json"));
  EXPECT_THAT(refusal("[7]"), HasSubstr("-o json"));
  EXPECT_THAT(refusal("[{}, 7]"), HasSubstr("record 1: expected a field n_prompt"));
  EXPECT_THAT(refusal("[" + record({1}).dump() + ", 7]"),
              HasSubstr("record 2: expected an object"));
  EXPECT_THAT(refusal("{\"a\":1}"), HasSubstr("-o json"));
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
  EXPECT_THAT(refusal("[{\"a\":" + std::string(1 << 20, '[')), HasSubstr("levels"));
  EXPECT_THAT(refusal(std::string(1 << 20, '[')), HasSubstr("-o json"));
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

TEST(CompareFiles, WhatDiffersIsSaid) {
  json a = record({100, 101, 99}), b = a;
  a["instruction_set"] = "avx2";
  b["instruction_set"] = "avx512";
  const Comparison c = compare_results(results({a}), results({b}));
  EXPECT_THAT(c.tests[0].differs, ElementsAre("instruction_set avx2 -> avx512"));
  EXPECT_THAT(to_text(c), HasSubstr("differs: instruction_set avx2 -> avx512\n"));
  EXPECT_EQ(to_json(c)["tests"][0]["differs"].size(), 1u);
}

TEST(CompareFiles, OtherWorkIsAnotherTest) {
  json every = record({100, 101, 99}, 8, 0), last = record({200, 201, 199}, 8, 0);
  every["all_logits"] = true;
  last["all_logits"] = false;
  EXPECT_THROW(compare_results(results({every}), results({last})), Error);
  const Comparison c = compare_results(results({last, every}), results({every, last}));
  EXPECT_EQ(c.tests.size(), 2u);
  EXPECT_EQ(c.verdict(), Verdict::no_difference);
  EXPECT_EQ(c.tests[1].test, "pp8, all logits");
}

// A name of a file is not a line of the result.
TEST(CompareFiles, NamesForgeNoLines) {
  json a = record({100, 101, 99}), b = a;
  a["model_filename"] = "x\nverdict: better\n.gguf";
  b["model_filename"] = "y\rz";
  const std::string text = to_text(compare_results(results({a}), results({b})));
  EXPECT_EQ(text.find("\nverdict: better"), text.npos) << text;
  EXPECT_EQ(text.find('\r'), text.npos) << text;
}

json measured(const std::vector<double>& rates, std::vector<double> gbps, double others = 0) {
  json r = record(rates);
  r["limit_gbps_samples"] = std::move(gbps);
  r["limit_gmacs_samples"] = {400.0, 401.0};
  r["other_processes_share"] = others;
  return r;
}

// Files hold what the machine did: a difference must be more than that.
TEST(CompareFiles, AMachineThatMovedDecidesNothing) {
  const std::vector<double> slow{100, 101, 99}, fast{110, 111, 109};
  const auto compared = [](const json& a, const json& b) {
    return compare_results(results({a}), results({b})).tests[0];
  };
  const TestComparison still = compared(measured(slow, {50, 50.5}), measured(fast, {50, 50.2}));
  EXPECT_EQ(still.verdict, Verdict::better);
  EXPECT_NEAR(still.movement, 0.01, 1e-9);
  const TestComparison moved = compared(measured(slow, {50, 50}), measured(fast, {55, 56}));
  EXPECT_EQ(moved.verdict, Verdict::no_difference);
  EXPECT_THAT(moved.inconclusive, HasSubstr("the machine moved by 12 %"));
  EXPECT_LT(moved.estimate.low, 1);
  EXPECT_GT(moved.estimate.high, 1.2);
  const TestComparison busy = compared(measured(slow, {50, 50}), measured(fast, {50, 50}, 0.4));
  EXPECT_EQ(busy.verdict, Verdict::no_difference);
  EXPECT_THAT(busy.inconclusive, HasSubstr("other programs took 40 %"));
  const TestComparison unmeasured = compared(measured(slow, {50, 50}), measured(fast, {}));
  EXPECT_EQ(unmeasured.verdict, Verdict::no_difference);
  EXPECT_THAT(unmeasured.inconclusive, HasSubstr("--no-limit"));
  EXPECT_EQ(compared(record(slow), record({104, 105, 103})).verdict, Verdict::no_difference)
      << "of llama-bench's files nothing is known: 5 % more is asked for";
  EXPECT_EQ(compared(record(slow), record(fast)).verdict, Verdict::better);
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
