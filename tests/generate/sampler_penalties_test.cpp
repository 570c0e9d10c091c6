// Penalties, their window, and logit bias.
#include "generate/sampler.h"
#include "sampling.h"

namespace plumb {
namespace {

using namespace test;

TEST(Sampler, GreedyComesAfterBiasAndPenalties) {
  SamplerOptions o = greedy();
  o.logit_bias = {{2, 3.5f}};
  EXPECT_EQ(survivors(o, {1, 4, 1, 0}).begin()->first, 2);
  o.logit_bias.clear();
  o.repeat_penalty = 2;
  EXPECT_EQ(survivors(o, {3, 4, 1, 0}, {1}).begin()->first, 0);
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

}  // namespace
}  // namespace plumb
