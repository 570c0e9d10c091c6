// The sampler against closed forms: each stage alone, all together, the edges, and that it
// allocates nothing per token.
#include "generate/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "base/error.h"

namespace plumb {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Every stage off: plain softmax at temperature 1.
SamplerOptions plain(uint64_t seed = 1) {
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .logit_bias = {}, .seed = seed};
}
SamplerOptions greedy() {
  SamplerOptions o = plain();
  o.temperature = 0;
  return o;
}

std::vector<float> logs(const std::vector<double>& weights) {
  std::vector<float> logits;
  for (const double w : weights) logits.push_back(static_cast<float>(std::log(w)));
  return logits;
}

// What survives for these logits, as id -> probability.
std::map<int32_t, double> survivors(const SamplerOptions& options, const std::vector<float>& logits,
                                    const std::vector<int32_t>& seen = {}) {
  Sampler sampler(options, static_cast<int32_t>(logits.size()), 1024);
  sampler.read(seen);
  sampler.sample(logits);
  std::map<int32_t, double> result;
  for (const auto& c : sampler.candidates()) result[c.id] = c.probability;
  return result;
}

void expect_distribution(const std::map<int32_t, double>& got,
                         const std::map<int32_t, double>& weights) {
  double total = 0;
  for (const auto& [id, w] : weights) total += w;
  EXPECT_EQ(got.size(), weights.size());
  for (const auto& [id, w] : weights) {
    ASSERT_TRUE(got.count(id)) << "token " << id;
    EXPECT_NEAR(got.at(id), w / total, 1e-6) << "token " << id;
  }
}

// Pearson's statistic of n draws against probabilities.
double chi_square(Sampler& sampler, const std::vector<float>& logits,
                  const std::map<int32_t, double>& expected, int n) {
  std::map<int32_t, int> counts;
  for (int i = 0; i < n; ++i) ++counts[sampler.sample(logits)];
  double statistic = 0;
  int drawn = 0;
  for (const auto& [id, p] : expected) {
    drawn += counts[id];
    statistic += (counts[id] - n * p) * (counts[id] - n * p) / (n * p);
  }
  EXPECT_EQ(drawn, n) << "a token that should never be drawn was";
  return statistic;
}

TEST(Sampler, DefaultsAreLlamaCpps) {
  const SamplerOptions o;
  EXPECT_EQ(o.temperature, 0.8f);
  EXPECT_EQ(o.top_k, 40);
  EXPECT_EQ(o.top_p, 0.95f);
  EXPECT_EQ(o.min_p, 0.05f);
  EXPECT_EQ(o.repeat_last_n, 64);
  EXPECT_EQ(o.repeat_penalty, 1.0f);
  EXPECT_EQ(o.presence_penalty, 0.0f);
  EXPECT_EQ(o.frequency_penalty, 0.0f);
}

TEST(Sampler, GreedyTakesTheLargestAndTheLowestIdOnTies) {
  Sampler sampler(greedy(), 5, 8);
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 5, 3, 5, 2}), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-kInf, -7, -6, -6, kNaN}), 2);
  ASSERT_EQ(sampler.candidates().size(), 1u);
  EXPECT_EQ(sampler.candidates()[0].probability, 1.0f);
}

TEST(Sampler, GreedyComesAfterBiasAndPenalties) {
  SamplerOptions o = greedy();
  o.logit_bias = {{2, 3.5f}};
  EXPECT_EQ(survivors(o, {1, 4, 1, 0}).begin()->first, 2);
  o.logit_bias.clear();
  o.repeat_penalty = 2;
  EXPECT_EQ(survivors(o, {3, 4, 1, 0}, {1}).begin()->first, 0);
}

TEST(Sampler, NegativeTemperatureIsGreedyToo) {
  SamplerOptions o = plain();
  o.temperature = -1;
  EXPECT_EQ(survivors(o, {0, 2, 1}).begin()->first, 1);
}

TEST(Sampler, PlainSoftmax) {
  expect_distribution(survivors(plain(), logs({1, 2, 3, 4})), {{0, 1}, {1, 2}, {2, 3}, {3, 4}});
}

TEST(Sampler, TemperaturePowersTheWeights) {
  SamplerOptions o = plain();
  o.temperature = 0.5f;
  expect_distribution(survivors(o, logs({1, 2, 3})), {{0, 1}, {1, 4}, {2, 9}});
  o.temperature = 2;
  expect_distribution(survivors(o, logs({1, 4, 9})), {{0, 1}, {1, 2}, {2, 3}});
}

TEST(Sampler, TopKKeepsTheLargest) {
  SamplerOptions o = plain();
  o.top_k = 2;
  expect_distribution(survivors(o, logs({4, 1, 3, 2})), {{0, 4}, {2, 3}});
  o.top_k = 100;
  EXPECT_EQ(survivors(o, logs({4, 1, 3, 2})).size(), 4u);
  o.top_k = 1;
  EXPECT_EQ(survivors(o, {1, 1, 1}).begin()->first, 0) << "ties: the lowest id";
}

// Against a full sort, for vocabularies that make the bar rise slowly, fast and not at all.
TEST(Sampler, TopKAgreesWithSorting) {
  const int n = 5000;
  for (const int k : {1, 7, 40, 2000, 4999, 5000}) {
    for (const int shape : {0, 1, 2, 3}) {
      std::vector<float> logits(n);
      for (int i = 0; i < n; ++i) {
        const int hashed = static_cast<int>((static_cast<uint64_t>(i) * 2654435761u) % 1000u);
        const int values[] = {i, -i, hashed, 7};
        logits[static_cast<size_t>(i)] = static_cast<float>(values[shape]) * 0.001f;
      }
      std::vector<int32_t> order(n);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
      });
      SamplerOptions o = plain();
      o.top_k = k;
      Sampler sampler(o, n, 8);
      sampler.sample(logits);
      ASSERT_EQ(sampler.candidates().size(), static_cast<size_t>(k));
      for (int i = 0; i < k; ++i)
        ASSERT_EQ(sampler.candidates()[static_cast<size_t>(i)].id, order[static_cast<size_t>(i)])
            << k << " " << shape << " " << i;
    }
  }
}

TEST(Sampler, TopPKeepsTheOneThatReachesIt) {
  SamplerOptions o = plain();
  const auto logits = logs({1, 5, 2, 2});  // 0.5, then 0.2 (the lower id first), 0.2, 0.1
  o.top_p = 0.45f;
  expect_distribution(survivors(o, logits), {{1, 1}});
  o.top_p = 0.69f;
  expect_distribution(survivors(o, logits), {{1, 5}, {2, 2}});
  o.top_p = 0.85f;
  expect_distribution(survivors(o, logits), {{1, 5}, {2, 2}, {3, 2}});
  o.top_p = 0.95f;
  EXPECT_EQ(survivors(o, logits).size(), 4u);
  o.top_p = 0;
  EXPECT_EQ(survivors(o, logits).size(), 1u) << "at least one stays";
}

TEST(Sampler, TopPIsJudgedAtTemperatureOne) {
  SamplerOptions o = plain();
  o.temperature = 10;  // flat, were it applied first
  o.top_p = 0.45f;
  EXPECT_EQ(survivors(o, logs({1, 5, 2, 2})).size(), 1u);
}

TEST(Sampler, TopPOverManyTokens) {
  const int n = 20000;
  SamplerOptions o = plain();
  o.top_p = 0.5f;
  Sampler sampler(o, n, 8);
  std::vector<float> logits(n, 0.0f);
  sampler.sample(logits);
  EXPECT_NEAR(static_cast<double>(sampler.candidates().size()), n / 2, 1);
  EXPECT_EQ(sampler.candidates().front().id, 0);
  EXPECT_LE(sampler.candidates().back().id, n / 2);
}

TEST(Sampler, MinPIsRelativeToTheLikeliest) {
  SamplerOptions o = plain();
  o.min_p = 0.3f;
  expect_distribution(survivors(o, logs({1, 10, 2, 4, 3.1})), {{1, 10}, {3, 4}, {4, 3.1}});
  o.min_p = 1;
  EXPECT_EQ(survivors(o, logs({1, 2, 2})).size(), 2u);
}

TEST(Sampler, RepeatPenaltyDividesPositiveAndMultipliesNegativeLogits) {
  SamplerOptions o = plain();
  o.repeat_penalty = 2;
  Sampler sampler(o, 4, 8);
  sampler.read(std::vector<int32_t>{0, 1, 1, 2});
  sampler.sample(std::vector<float>{3, -3, 0, 3});
  std::map<int32_t, float> logit;
  for (const auto& c : sampler.candidates()) logit[c.id] = c.logit;
  EXPECT_EQ(logit[0], 1.5f);
  EXPECT_EQ(logit[1], -6.0f) << "once, however often it was seen";
  EXPECT_EQ(logit[2], 0.0f);
  EXPECT_EQ(logit[3], 3.0f);
}

TEST(Sampler, PresenceOnceFrequencyPerOccurrence) {
  SamplerOptions o = plain();
  o.presence_penalty = 0.5f;
  o.frequency_penalty = 0.25f;
  Sampler sampler(o, 3, 8);
  sampler.read(std::vector<int32_t>{0, 1, 1, 1});
  for (int again = 0; again < 2; ++again) {
    sampler.sample(std::vector<float>{1, 1, 1});
    std::map<int32_t, float> logit;
    for (const auto& c : sampler.candidates()) logit[c.id] = c.logit;
    EXPECT_EQ(logit[0], 0.25f);
    EXPECT_EQ(logit[1], -0.25f);
    EXPECT_EQ(logit[2], 1.0f);
  }
}

TEST(Sampler, RepeatPenaltyComesBeforePresenceAndFrequency) {
  SamplerOptions o = plain();
  o.repeat_penalty = 2;
  o.presence_penalty = 3;
  Sampler sampler(o, 2, 8);
  sampler.accept(0);
  sampler.sample(std::vector<float>{4, 0});
  EXPECT_EQ(sampler.candidates()[1].logit, -1.0f);  // 4/2 - 3
}

TEST(Sampler, TheWindowForgets) {
  SamplerOptions o = greedy();
  o.presence_penalty = 10;
  o.repeat_last_n = 2;
  Sampler sampler(o, 4, 100);
  const std::vector<float> logits{3, 2, 1, 0};
  std::vector<int32_t> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(sampler.sample(logits));
    sampler.accept(ids.back());
  }
  EXPECT_EQ(ids, (std::vector<int32_t>{0, 1, 2, 0, 1}));
  sampler.read(std::vector<int32_t>{0, 1, 2, 3});
  EXPECT_EQ(sampler.sample(logits), 0) << "only the last two of a prompt count";
  sampler.reset();
  EXPECT_EQ(sampler.sample(logits), 0);
}

TEST(Sampler, WhatLeftTheWindowIsNotCounted) {
  SamplerOptions o = plain();
  o.frequency_penalty = 1;
  o.repeat_last_n = 2;
  Sampler sampler(o, 2, 100);
  sampler.read(std::vector<int32_t>{0, 0});
  for (const int32_t id : {0, 0, 1, 0}) sampler.accept(id);
  sampler.sample(std::vector<float>{5, 0});
  EXPECT_EQ(sampler.candidates()[0].logit, 4.0f) << "once among the last two";
}

TEST(Sampler, AWindowOfTheWholeContextAndNone) {
  SamplerOptions o = greedy();
  o.presence_penalty = 10;
  o.repeat_last_n = -1;
  const std::vector<float> logits{3, 2, 1, 0};
  Sampler all(o, 4, 100);
  all.read(std::vector<int32_t>{0, 1, 1, 1, 1, 1});
  EXPECT_EQ(all.sample(logits), 2);
  o.repeat_last_n = 0;
  Sampler none(o, 4, 100);
  none.read(std::vector<int32_t>{0, 0, 0});
  EXPECT_EQ(none.sample(logits), 0);
}

TEST(Sampler, BiasAddsAndForbids) {
  SamplerOptions o = plain();
  o.logit_bias = {{0, std::log(3.0f)}, {2, std::log(2.0f)}, {2, std::log(2.0f)}};
  forbid(o, std::vector<int32_t>{1});
  expect_distribution(survivors(o, logs({1, 50, 1, 1})), {{0, 3}, {2, 4}, {3, 1}});
}

// top-k before top-p, top-p renormalised over what top-k left, min-p after it, temperature last.
TEST(Sampler, TheStagesInOrder) {
  SamplerOptions o = plain();
  o.top_k = 4;
  o.top_p = 0.9f;
  o.min_p = 0.3f;
  o.temperature = 0.5f;
  // of 40 20 10 10 8 6 4 2 top-k leaves 40 20 10 10; top-p 0.9 of 80 = 72 leaves all four; min-p
  // 0.3 * 40 = 12 leaves 40 20
  expect_distribution(survivors(o, logs({40, 20, 10, 10, 8, 6, 4, 2})), {{0, 1600}, {1, 400}});
  o.min_p = 0;
  o.top_p = 0.85f;  // 68 of 80: three
  expect_distribution(survivors(o, logs({40, 20, 10, 10, 8, 6, 4, 2})),
                      {{0, 1600}, {1, 400}, {2, 100}});
}

TEST(Sampler, DrawsFollowTheDistribution) {
  const auto logits = logs({1, 2, 3, 4});
  Sampler sampler(plain(7), 4, 8);
  // 99.9th percentile of chi-square with 3 degrees of freedom is 16.3; the seed is fixed, so this
  // cannot flicker
  EXPECT_LT(chi_square(sampler, logits, {{0, 0.1}, {1, 0.2}, {2, 0.3}, {3, 0.4}}, 20000), 16.3);
}

TEST(Sampler, DrawsFollowTheDistributionAfterAllStages) {
  SamplerOptions o = plain(11);
  o.top_k = 4;
  o.top_p = 0.85f;
  o.temperature = 0.5f;
  o.logit_bias = {{1, std::log(2.0f)}};  // 40 40 10 10 after it: top-p keeps 40 40 10 of 100
  Sampler sampler(o, 6, 8);
  const double total = 1600 + 1600 + 100;
  EXPECT_LT(chi_square(sampler, logs({40, 20, 10, 10, 8, 6}),
                       {{0, 1600 / total}, {1, 1600 / total}, {2, 100 / total}}, 20000),
            13.8);
}

TEST(Sampler, ManyTokensOneByOne) {
  const int n = 1000;
  Sampler sampler(plain(2), n, 8);
  const std::vector<float> logits(n, 1.0f);
  std::map<int32_t, double> expected;
  for (int i = 0; i < n; ++i) expected[i] = 1.0 / n;
  EXPECT_LT(chi_square(sampler, logits, expected, 100000),
            1143);  // 99.9th percentile with 999 degrees of freedom
}

TEST(Sampler, SameSeedSameTokens) {
  const auto logits = logs({1, 2, 3, 4, 5, 6, 7, 8});
  const auto run = [&](uint64_t seed) {
    Sampler sampler(plain(seed), 8, 8);
    std::vector<int32_t> ids;
    for (int i = 0; i < 64; ++i) ids.push_back(sampler.sample(logits));
    return ids;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
  EXPECT_NE(run(0), run(1));
  Sampler sampler(plain(5), 8, 8);
  sampler.sample(logits);
  sampler.reset();
  std::vector<int32_t> again;
  for (int i = 0; i < 64; ++i) again.push_back(sampler.sample(logits));
  EXPECT_EQ(again, run(5));
}

TEST(Sampler, NonFiniteLogitsLose) {
  expect_distribution(survivors(plain(), {kNaN, 0, kInf, 0, -kInf}), {{1, 1}, {3, 1}});
  SamplerOptions defaults;
  expect_distribution(survivors(defaults, {kNaN, 0, kInf, 0, -kInf}), {{1, 1}, {3, 1}});
  EXPECT_EQ(survivors(greedy(), {kNaN, kInf, -5, -kInf}).begin()->first, 2);
}

TEST(Sampler, NoFiniteLogitIsAnError) {
  for (const SamplerOptions& o : {plain(), greedy(), SamplerOptions{}}) {
    Sampler sampler(o, 3, 8);
    EXPECT_THROW(sampler.sample(std::vector<float>{kNaN, kInf, -kInf}), Error);
  }
  SamplerOptions forbidden = plain();
  forbid(forbidden, std::vector<int32_t>{0, 1});
  Sampler sampler(forbidden, 2, 8);
  EXPECT_THROW(sampler.sample(std::vector<float>{0, 0}), Error);
}

TEST(Sampler, HugeLogitsAndTinyTemperatures) {
  const float big = std::numeric_limits<float>::max();
  SamplerOptions o = plain();
  o.temperature = 1e-38f;
  EXPECT_EQ(survivors(o, {big, -big, big / 2}).at(0), 1.0);
  EXPECT_EQ(survivors({}, {-big, big, 0}).begin()->first, 1);
  o.temperature = 1e38f;
  expect_distribution(survivors(o, {5, 1, 3}), {{0, 1}, {1, 1}, {2, 1}});
}

TEST(Sampler, OptionsAreChecked) {
  const auto refused = [](auto change) {
    SamplerOptions o;
    change(o);
    try {
      validate(o, 10);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(refused([](auto&) {}), "");
  EXPECT_EQ(refused([](auto& o) { o.top_p = 1.5f; }), "--top-p: expected 0 to 1, got 1.5");
  EXPECT_NE(refused([](auto& o) { o.top_p = kNaN; }), "");
  EXPECT_NE(refused([](auto& o) { o.min_p = -0.1f; }), "");
  EXPECT_NE(refused([](auto& o) { o.temperature = kInf; }), "");
  EXPECT_NE(refused([](auto& o) { o.repeat_penalty = 0; }), "");
  EXPECT_NE(refused([](auto& o) { o.repeat_penalty = 1e-45f; }), "");
  EXPECT_NE(refused([](auto& o) { o.repeat_last_n = -2; }), "");
  EXPECT_NE(refused([](auto& o) { o.presence_penalty = kNaN; }), "");
  EXPECT_NE(refused([](auto& o) { o.frequency_penalty = kInf; }), "");
  EXPECT_NE(refused([](auto& o) { o.logit_bias = {{10, 1.0f}}; }), "");
  EXPECT_NE(refused([](auto& o) { o.logit_bias = {{-1, 1.0f}}; }), "");
  EXPECT_NE(refused([](auto& o) { o.logit_bias = {{1, kInf}}; }), "");
}

}  // namespace
}  // namespace plumb
