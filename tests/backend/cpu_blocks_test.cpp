// The CPU backend on mixtures of experts and gated delta nets: against the reference, step by step,
// and against itself however a batch is cut, shared out or mixed, to the bit.

#include <gtest/gtest.h>

#include "backend/cpu/cpu.h"
#include "backend/reference/reference.h"
#include "backend/set_name.h"
#include "measure/check.h"
#include "support/shape_engine.h"
#include "support/slow.h"

namespace plumb {
namespace {

using test::feed;
using test::in_batches;
using test::Logits;
using test::model_shape;
using test::ModelShape;
using test::same_bits;
using test::ShapePlan;
using test::some_ids;

class CpuBlocks : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Sets, CpuBlocks, ::testing::ValuesIn(test::set_names()),
                         [](const auto& param) { return test::set_name(param.param); });

constexpr PlanOptions kOptions{.cache_k = Format::f32,
                               .cache_v = Format::f32,
                               .n_positions = 300,
                               .n_sequences = 3,
                               .max_batch = 200,
                               .max_logits = 200};

constexpr const char* kShapes[] = {"tiny-qwen3moe", "tiny-qwen35", "tiny-qwen35moe",
                                   "tiny-qwen35moe-fused"};

Difference largest_difference(const ShapePlan& tiny, Backend& cpu, int64_t n_ids) {
  const auto reference = make_reference_backend()->compile(tiny.plan);
  const auto tested = cpu.compile(tiny.plan);
  return *check(tiny.plan, *reference, *tested, some_ids(n_ids, tiny.model.n_vocab), 1).largest;
}

ModelShape wide(const char* name) {
  ModelShape shape = model_shape(name);
  shape.n_embd = shape.expert_ff = 256;
  shape.n_layers = std::min<int64_t>(shape.n_layers, 4);
  if (shape.shared_ff) shape.shared_ff = 256;
  if (shape.n_ff) shape.n_ff = 256;
  return shape;
}

TEST_P(CpuBlocks, MatchTheReferenceInF32) {
  if (test::kThreadSanitizer) GTEST_SKIP() << "no more threads than in other tests, and slow";
  const auto cpu = make_cpu_backend(2, GetParam());
  for (const char* name : kShapes) {
    const ShapePlan tiny(model_shape(name), {}, kOptions);
    for (const int64_t n : {1, 5, 80}) {
      const Difference d = largest_difference(tiny, *cpu, n);
      EXPECT_LT(d.max_rel, 2e-5) << name << ", " << n << ": " << d.name;
    }
  }
}

TEST_P(CpuBlocks, MatchTheReferenceInOtherFormats) {
  if (test::kThreadSanitizer) GTEST_SKIP() << "no more threads than in other tests, and slow";
  const auto cpu = make_cpu_backend(2, GetParam());
  for (const Format format : {Format::q4_k, Format::q8_0, Format::mxfp4, Format::f16, Format::bf16})
    for (const char* name : {"tiny-qwen3moe", "tiny-qwen35moe-fused"}) {
      const ShapePlan tiny(wide(name), {.matrices = format}, kOptions);
      const Difference d = largest_difference(tiny, *cpu, 12);
      EXPECT_LT(d.max_rel, 0.03) << name << ", " << format_info(format).name << ": " << d.name;
    }
}

// A matrix of one row is a matrix: its activations need room, and their form, too. What overwrites
// its neighbours is not the same in batches of one.
TEST_P(CpuBlocks, MatricesOfOneRow) {
  const auto cpu = make_cpu_backend(2, GetParam());
  const auto expect_whole = [&](const ModelShape& shape, const char* rule, Format format) {
    const ShapePlan tiny(shape, {.matrices = Format::f32, .rules = {{rule, format}}}, kOptions);
    const std::vector<int32_t> ids = some_ids(150, tiny.model.n_vocab);
    const auto whole = cpu->compile(tiny.plan), single = cpu->compile(tiny.plan);
    EXPECT_TRUE(same_bits(in_batches(*whole, ids, std::vector<size_t>{150}),
                          in_batches(*single, ids, std::vector<size_t>(150, 1))))
        << rule;
  };
  ModelShape thin = model_shape("tiny-qwen3");
  thin.n_embd = 1;
  thin.head_dim = 64;
  expect_whole(thin, "attn_output|ffn_down", Format::q8_0);
  ModelShape flat = model_shape("tiny-qwen3");
  flat.n_ff = 1;
  expect_whole(flat, "ffn_(gate|up)", Format::bf16);
}

// What other families ask of experts: other activations and rules, biases, norms of their own, sums
// that are normed before they are added.
TEST_P(CpuBlocks, MatchTheReferenceInEveryForm) {
  if (test::kThreadSanitizer) GTEST_SKIP() << "no more threads than in other tests, and slow";
  const auto cpu = make_cpu_backend(2, GetParam());
  ModelShape shape = model_shape("tiny-qwen35moe");
  shape.expert_biases = true;
  for (const Activation activation :
       {Activation::silu, Activation::gelu, Activation::clamped_swiglu})
    for (const bool branches : {false, true}) {
      ShapePlan tiny(shape, {}, kOptions);
      for (Layer& layer : tiny.model.layers) {
        auto& f = std::get<MoeFfn>(layer.ffn);
        f.activation = f.shared->activation = activation;
        f.rule = RouterRule::top_softmax;
        if (!branches) continue;
        f.router_norm = tiny.model.final_norm;
        f.router_scale = 0.5f;
        f.expert_norm = layer.mixer_norm;
        f.routed_post_norm = layer.ffn_norm;
        f.shared_post_norm = tiny.model.final_norm;
        layer.post_ffn_norm = layer.mixer_norm;
      }
      tiny.plan = compile(tiny.model, kOptions);
      for (const int64_t n : {1, 40}) {
        const Difference d = largest_difference(tiny, *cpu, n);
        EXPECT_LT(d.max_rel, 2e-5) << activation_name(activation) << ", " << n << ": " << d.name;
      }
    }
}

// What a router is stored in changes nothing in how it is multiplied.
TEST_P(CpuBlocks, RoutersReadExactActivations) {
  if (test::kThreadSanitizer) GTEST_SKIP() << "no more threads than in other tests, and slow";
  const auto cpu = make_cpu_backend(2, GetParam());
  for (const Format format : {Format::q8_0, Format::bf16, Format::q4_k}) {
    const ShapePlan tiny(wide("tiny-qwen3moe"), {.rules = {{"ffn_gate_inp", format}}}, kOptions);
    const Difference d = largest_difference(tiny, *cpu, 12);
    EXPECT_LT(d.max_rel, 2e-5) << format_info(format).name << ": " << d.name;
  }
}

TEST_P(CpuBlocks, LogitsDoNotDependOnBatchesOrThreads) {
  for (const char* name : {"tiny-qwen35", "tiny-qwen35moe"}) {
    const ShapePlan tiny(wide(name), {.matrices = Format::q4_0}, kOptions);
    const auto ids = some_ids(180, tiny.model.n_vocab);
    const Logits whole = feed(*make_cpu_backend(2, GetParam())->compile(tiny.plan), ids);
    for (const int n_threads : {1, 3}) {
      const auto e = make_cpu_backend(n_threads, GetParam())->compile(tiny.plan);
      const std::vector<size_t> sizes{1, 7, 64, 2, 1, 3, 30, 4, 5, 63};
      EXPECT_TRUE(same_bits(in_batches(*e, ids, sizes), whole)) << name << ", " << n_threads;
    }
  }
}

TEST_P(CpuBlocks, LogitsDoNotDependOnOtherSequences) {
  const ShapePlan tiny(model_shape("tiny-qwen35moe"), {.matrices = Format::q8_0}, kOptions);
  const auto a = some_ids(90, tiny.model.n_vocab, 1), b = some_ids(90, tiny.model.n_vocab, 2);
  const auto backend = make_cpu_backend(2, GetParam());
  const auto alone = backend->compile(tiny.plan), together = backend->compile(tiny.plan);
  std::vector<int32_t> tokens, positions, slots;
  for (int32_t i = 0; i < 90; ++i)
    for (const int32_t slot : {2, 0}) {
      tokens.push_back((slot == 0 ? a : b)[static_cast<size_t>(i)]);
      positions.push_back(i);
      slots.push_back(slot);
    }
  together->run({tokens, positions, slots, std::vector<uint8_t>(tokens.size(), 1)});
  Logits got;
  for (int64_t row = 1; row < 180; row += 2) {
    const auto logits = together->logits(row);
    got.emplace_back(logits.begin(), logits.end());
  }
  EXPECT_TRUE(same_bits(got, feed(*alone, a)));
}

TEST_P(CpuBlocks, TruncateAndContinueIsAFreshRun) {
  const ShapePlan tiny(model_shape("tiny-qwen35"), {.matrices = Format::q8_0}, kOptions);
  const auto a = some_ids(200, tiny.model.n_vocab, 1), b = some_ids(60, tiny.model.n_vocab, 2);
  const auto backend = make_cpu_backend(2, GetParam());
  for (const int64_t keep : {0, 63, 64, 150, 199}) {
    const auto used = backend->compile(tiny.plan), fresh = backend->compile(tiny.plan);
    feed(*used, a);
    const int64_t kept = used->truncate(0, keep);
    EXPECT_EQ(kept, keep / 64 * 64);
    EXPECT_EQ(used->copy_prefix(0, 1, kept), kept);
    if (kept > 0) feed(*fresh, std::span(a).first(static_cast<size_t>(kept)));
    const Logits expected = feed(*fresh, b);
    EXPECT_TRUE(same_bits(feed(*used, b), expected)) << keep;
    EXPECT_TRUE(same_bits(feed(*used, b, 1), expected)) << keep;
  }
}

// States are kept and copied where a chunk of the delta rule is open, too.
TEST_P(CpuBlocks, TurnsContinueWithinAChunk) {
  const ShapePlan tiny(model_shape("tiny-qwen35"), {.matrices = Format::q8_0}, kOptions);
  const auto a = some_ids(30, tiny.model.n_vocab, 1), b = some_ids(25, tiny.model.n_vocab, 2);
  const auto backend = make_cpu_backend(2, GetParam());
  const auto used = backend->compile(tiny.plan), fresh = backend->compile(tiny.plan);
  feed(*fresh, a);
  const Logits expected = feed(*fresh, b);
  feed(*used, a);
  EXPECT_EQ(used->copy_prefix(0, 1, 30), 30);
  feed(*used, some_ids(25, tiny.model.n_vocab, 3));
  EXPECT_EQ(used->truncate(0, 54), 30);
  EXPECT_TRUE(same_bits(feed(*used, b), expected));
  EXPECT_TRUE(same_bits(feed(*used, b, 1), expected));
}

TEST_P(CpuBlocks, WeightsInTheFileGiveTheSameBits) {
  for (const char* name : {"tiny-qwen3moe", "tiny-qwen35moe-fused"}) {
    const ShapePlan tiny(wide(name), {.matrices = Format::q4_k}, kOptions);
    const auto ids = some_ids(70, tiny.model.n_vocab);
    const auto packed = make_cpu_backend(2, GetParam()),
               mapped = make_cpu_backend(2, GetParam(), false);
    EXPECT_TRUE(
        same_bits(feed(*packed->compile(tiny.plan), ids), feed(*mapped->compile(tiny.plan), ids)))
        << name;
    EXPECT_LT(mapped->memory(tiny.plan).weights, packed->memory(tiny.plan).weights / 2);
  }
}

// Experts give way first, those of the last layers before the others, and nothing else does.
TEST_P(CpuBlocks, ExpertsThatDoNotFitStayInTheFile) {
  const ShapePlan tiny(wide("tiny-qwen35moe"), {.matrices = Format::q8_0}, kOptions);
  const auto ids = some_ids(40, tiny.model.n_vocab);
  const auto all = make_cpu_backend(2, GetParam());
  const Memory whole = all->memory(tiny.plan);
  EXPECT_EQ(whole.mapped_experts, 0);
  const Logits expected = feed(*all->compile(tiny.plan), ids);
  int64_t last = 0;
  for (const int64_t less : {int64_t{1}, whole.weights / 3, whole.weights}) {
    const auto some = make_cpu_backend(2, GetParam(), true, whole.total() - less);
    const Memory memory = some->memory(tiny.plan);
    EXPECT_GT(memory.mapped_experts, last);
    EXPECT_EQ(memory.mapped - whole.mapped, memory.mapped_experts);
    last = memory.mapped_experts;
    EXPECT_TRUE(same_bits(feed(*some->compile(tiny.plan), ids), expected)) << less;
  }
  const auto none = make_cpu_backend(2, GetParam(), true, 1)->memory(tiny.plan);
  EXPECT_EQ(none.mapped_experts, last);
  EXPECT_GT(none.weights, 0);
}

}  // namespace
}  // namespace plumb
