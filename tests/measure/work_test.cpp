#include "measure/work.h"

#include <gtest/gtest.h>

#include "support/shape_engine.h"

namespace plumb::test {
namespace {

// Sums over single tokens, the long way round.
TEST(Work, GeneratingReadsWeightsAndCacheForEachToken) {
  const TinyPlan tiny;
  const auto weights = static_cast<double>(weight_bytes_per_token(tiny.plan));
  const auto position = static_cast<double>(tiny.plan.cache.bytes_per_position());
  const Work work = work_of(tiny.plan, {.n_prompt = 0, .n_gen = 3, .n_depth = 10}, 512);
  EXPECT_EQ(work.gen_bytes, 3 * weights + (11 + 12 + 13) * position);
  EXPECT_EQ(work.prompt_bytes, 0);
  EXPECT_EQ(work.prompt_macs, 0);
}

TEST(Work, PromptsReadWeightsOncePerBatch) {
  const TinyPlan tiny;  // at most 96 together
  const auto weights = static_cast<double>(weight_bytes_per_token(tiny.plan));
  const auto position = static_cast<double>(tiny.plan.cache.bytes_per_position());
  const auto bytes = [&](int64_t n, int64_t n_batch) {
    return work_of(tiny.plan, {.n_prompt = n, .n_gen = 0, .n_depth = 0}, n_batch).prompt_bytes;
  };
  EXPECT_EQ(bytes(96, 512), weights + 96 * position);
  EXPECT_EQ(bytes(100, 512), 2 * weights + (96 + 100) * position);
  EXPECT_EQ(bytes(100, 50), 2 * weights + (50 + 100) * position);
}

// States count with every batch; more tokens choose more experts, at most all.
TEST(Work, StatesAndExpertsCountAsTheyAreRead) {
  const ShapePlan tiny(model_shape("tiny-qwen35moe"), {}, {.n_positions = 128, .max_batch = 96});
  const auto once = [&](int64_t n) {
    return static_cast<double>(weight_bytes_per_token(tiny.plan) + state_traffic(tiny.plan, n));
  };
  const auto position = static_cast<double>(tiny.plan.cache.bytes_per_position());
  EXPECT_EQ(work_of(tiny.plan, {.n_prompt = 0, .n_gen = 2, .n_depth = 0}, 96).gen_bytes,
            2 * once(1) + 3 * position);
  double experts = 0;  // all of them, 4 of 16 being a token's
  for (const Step& step : tiny.plan.steps)
    experts += 16 * static_cast<double>(step.cost.expert_bytes);
  const auto prompt = [&](int64_t n) {
    return work_of(tiny.plan, {.n_prompt = n, .n_gen = 0, .n_depth = 0}, 96).prompt_bytes -
           static_cast<double>(n) * position;
  };
  EXPECT_EQ(prompt(1), once(1));
  EXPECT_EQ(prompt(2), once(2) + experts / 4);
  EXPECT_EQ(prompt(96), once(96) + experts * 3 / 4);
}

TEST(Work, MultiplyAddsAreThePlans) {
  const TinyPlan tiny;
  double expected = 0;
  for (const Step& step : tiny.plan.steps)
    expected +=
        static_cast<double>(step.cost.ops(std::holds_alternative<Head>(step.args) ? 1 : 20, 5));
  const Work whole = work_of(tiny.plan, {.n_prompt = 20, .n_gen = 0, .n_depth = 5}, 512);
  EXPECT_EQ(whole.prompt_macs, expected / 2);
  const Work both = work_of(tiny.plan, {.n_prompt = 20, .n_gen = 4, .n_depth = 5}, 512);
  const Work later = work_of(tiny.plan, {.n_prompt = 0, .n_gen = 4, .n_depth = 25}, 512);
  EXPECT_EQ(both.prompt_macs, whole.prompt_macs);
  EXPECT_EQ(both.gen_bytes, later.gen_bytes);
  EXPECT_EQ(both.gen_macs, later.gen_macs);
}

TEST(Work, LogitsOfEveryToken) {
  const TinyPlan tiny;
  double head = 0;
  for (const Step& step : tiny.plan.steps)
    if (std::holds_alternative<Head>(step.args)) head = static_cast<double>(step.cost.ops(1, 0));
  const BenchTest test{.n_prompt = 20, .n_gen = 0, .n_depth = 5};
  const double more = work_of(tiny.plan, test, 512, true).prompt_macs -
                      work_of(tiny.plan, test, 512, false).prompt_macs;
  EXPECT_EQ(more, 19 * head / 2);
}

TEST(Work, TheLeastTime) {
  const Work work{.gen_bytes = 100, .prompt_macs = 1000};
  EXPECT_EQ(least_seconds(work, {.read = 50, .macs = 500}), 4);
  EXPECT_EQ(least_seconds(work, {.read = 50}), 0) << "unknown";
  EXPECT_EQ(least_seconds({.gen_bytes = 100}, {.read = 50}), 2);
}

TEST(Work, ArithmeticIsThatOfMostWeights) {
  EXPECT_EQ(arithmetic_of(TinyPlan().plan), Arithmetic::f32);
  EXPECT_EQ(arithmetic_of(TinyPlan({.n_embd = 256, .matrices = Format::q4_0}).plan),
            Arithmetic::dot8);
  EXPECT_EQ(arithmetic_of(TinyPlan({.matrices = Format::bf16}).plan), Arithmetic::bf16);
}

}  // namespace
}  // namespace plumb::test
