// Plans: which steps, what they cost, and the sums that commands print.

#include "plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

using test::TinyPlan;
using ::testing::HasSubstr;

std::vector<std::string> kinds(const Plan& plan) {
  std::vector<std::string> names;
  for (const Step& step : plan.steps) names.emplace_back(kind_name(step.args));
  return names;
}

TEST(Plan, SixStepsPerLayerAndThreeMore) {
  const TinyPlan tiny({.n_layers = 2});
  EXPECT_THAT(kinds(tiny.plan),
              testing::ElementsAre("embed", "project", "attend", "merge_partials", "project_add",
                                   "gate_up", "project_add", "project", "attend", "merge_partials",
                                   "project_add", "gate_up", "project_add", "head", "pick"));
  EXPECT_EQ(TinyPlan({.n_layers = 5}).plan.steps.size(), 5u * 6 + 3);
}

TEST(Plan, CostsAreExact) {
  const TinyPlan tiny(
      {.matrices = Format::q8_0, .embedding = Format::f16, .tied = true, .biases = true});
  const Plan& plan = tiny.plan;
  // norm 64 f32, q 64 rows, k and v 32 rows of 64 values in Q8_0 (34 bytes per 32), biases f32
  const Cost& qkv = plan.steps[1].cost;
  EXPECT_EQ(qkv.weight_bytes, 64 * 4 + 128 * 2 * 34 + 128 * 4);
  EXPECT_EQ(qkv.read_per_token, 64 * 4);
  EXPECT_EQ(qkv.write_per_token, 128 * 4);
  EXPECT_EQ(qkv.ops_per_token, 2 * 128 * 64);
  // one position: K and V of 2 heads of 16 in f16; 4 query heads
  const Cost& attend = plan.steps[2].cost;
  EXPECT_EQ(attend.read_per_position, 2 * 2 * 16 * 2);
  EXPECT_EQ(attend.write_per_token, 2 * 2 * 16 * 2 + 4 * 16 * 4);
  EXPECT_EQ(attend.ops_per_position, 4 * 4 * 16);
  EXPECT_EQ(attend.ops(1, 0), 4 * 4 * 16);  // a token sees itself
  EXPECT_EQ(attend.ops(3, 10), (11 + 12 + 13) * 4 * 4 * 16);
  EXPECT_EQ(plan.steps[3].cost.reads(1, 0), 4 * 16 * 4);
  // one row of the embedding
  EXPECT_EQ(plan.steps[0].cost.weight_bytes, 0);
  EXPECT_EQ(plan.steps[0].cost.reads(3, 100), 3 * 64 * 2);
  EXPECT_EQ(plan.steps[13].cost.weight_bytes, 64 * 4 + tiny.model.n_vocab * 64 * 2);
}

TEST(Plan, WeightBytesAreTheTensorsOfTheFileOnce) {
  for (const bool tied : {true, false}) {
    const TinyPlan tiny({.matrices = Format::q4_0, .tied = tied, .biases = true});
    int64_t bytes = 0;
    for (int64_t i = 0; i < tiny.file.n_tensors(); ++i)
      bytes += static_cast<int64_t>(tiny.file.tensor(i).data.size());
    EXPECT_EQ(weight_bytes(tiny.plan), bytes);
  }
}

TEST(Plan, CacheBytes) {
  const TinyPlan tiny(
      {.n_layers = 3},
      {.cache_k = Format::f32, .cache_v = Format::f16, .n_positions = 65, .n_sequences = 2});
  EXPECT_EQ(tiny.plan.cache.bytes_per_position(), 3 * (32 * 4 + 32 * 2));
  EXPECT_EQ(cache_bytes(tiny.plan), 2 * 2 * kPagePositions * 3 * (32 * 4 + 32 * 2));
}

TEST(Plan, JsonSumsAreTheStepsSums) {
  const TinyPlan tiny({.matrices = Format::q4_1, .embedding = Format::q8_0});
  const auto json = to_json(tiny.plan, 1, 10);
  int64_t weights = 0, by_path = 0, by_format = 0;
  for (const auto& step : json["steps"]) weights += step["weight_bytes"].get<int64_t>();
  for (const auto& [path, bytes] : json["per_token"]["by_path"].items())
    by_path += bytes.get<int64_t>();
  for (const auto& [format, bytes] : json["per_token"]["by_format"].items())
    by_format += bytes.get<int64_t>();
  EXPECT_EQ(json["per_token"]["weight_bytes"], weights);
  EXPECT_EQ(by_path, weights);
  EXPECT_EQ(by_format, weights);
  EXPECT_EQ(json["per_token"]["kv_bytes_per_position"], tiny.plan.cache.bytes_per_position());
  EXPECT_EQ(json["steps"][1]["format"], "Q4_1");
  EXPECT_THAT(to_text(tiny.plan, 1, 10), HasSubstr("15 steps"));
}

TEST(Plan, OptionsOutOfRange) {
  const TinyPlan tiny;
  EXPECT_THROW(compile(tiny.model, {.n_positions = -1}), Error);
  EXPECT_THROW(compile(tiny.model, {.n_sequences = 0}), Error);
  EXPECT_THROW(compile(tiny.model, {.max_batch = 0}), Error);
  EXPECT_THROW(compile(tiny.model, {.max_batch = 4, .max_logits = 5}), Error);
  EXPECT_THROW(compile(tiny.model, {.cache_k = Format::q4_k}), Error);
}

TEST(Plan, AbsurdSizesSaturate) {
  const Cost cost{.weight_bytes = 1 << 20,
                  .read_per_token = 1 << 20,
                  .read_per_position = 1 << 20,
                  .write_per_token = 1 << 20,
                  .ops_per_token = 1 << 20,
                  .ops_per_position = 1 << 20};
  EXPECT_EQ(Cost::seen(INT32_MAX, INT32_MAX), int64_t{INT32_MAX} * INT32_MAX + 2305843008139952128);
  EXPECT_EQ(cost.reads(INT32_MAX, INT32_MAX), INT64_MAX);
  EXPECT_EQ(cost.ops(INT32_MAX, INT32_MAX), INT64_MAX);
  const TinyPlan tiny({}, {.n_positions = INT32_MAX - 64, .n_sequences = 4096});
  Memory memory{
      .weights = weight_bytes(tiny.plan), .kv = cache_bytes(tiny.plan), .scratch = INT64_MAX};
  EXPECT_GT(memory.kv, int64_t{1} << 40);
  EXPECT_EQ(memory.total(), INT64_MAX);
}

}  // namespace
}  // namespace plumb
