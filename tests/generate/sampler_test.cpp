// The sampler against closed forms: each stage alone, all together, and the edges.
#include "generate/sampler.h"

#include "base/error.h"
#include "sampling.h"

namespace plumb {
namespace {

using namespace test;

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

TEST(Sampler, MinPIsRelativeToTheLikeliest) {
  SamplerOptions o = plain();
  o.min_p = 0.3f;
  expect_distribution(survivors(o, logs({1, 10, 2, 4, 3.1})), {{1, 10}, {3, 4}, {4, 3.1}});
  o.min_p = 1;
  EXPECT_EQ(survivors(o, logs({1, 2, 2})).size(), 2u);
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
