// The CPU backend on whole tiny models: against the reference, step by step, and against itself
// however a batch is cut, shared out or mixed, to the bit.

#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <set>

#include "backend/cpu/cpu.h"
#include "backend/reference/reference.h"
#include "backend/set_name.h"
#include "base/error.h"
#include "measure/check.h"
#include "support/slow.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

using test::feed;
using test::in_batches;
using test::Logits;
using test::same_bits;
using test::some_ids;
using test::TinyOptions;
using test::TinyPlan;

class CpuBackend : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Sets, CpuBackend, ::testing::ValuesIn(test::set_names()),
                         [](const auto& param) { return test::set_name(param.param); });

// Plans of 300 positions: more than two chunks of attention.
constexpr PlanOptions kLong{
    .n_positions = 300, .n_sequences = 3, .max_batch = 200, .max_logits = 200};

// The step that differs most from the reference, all steps having had the reference's inputs.
Difference largest_difference(const TinyPlan& tiny, const std::string& set, int64_t n_ids) {
  const auto reference = make_reference_backend()->compile(tiny.plan);
  const auto cpu = make_cpu_backend(2, set)->compile(tiny.plan);
  return *check(tiny.plan, *reference, *cpu, some_ids(n_ids, tiny.model.n_vocab), 1).largest;
}

#define EXPECT_CLOSE(difference, tolerance, ...)                      \
  do {                                                                \
    const Difference d = (difference);                                \
    EXPECT_LT(d.max_rel, tolerance) << d.name << ": " << __VA_ARGS__; \
  } while (0)

TEST_P(CpuBackend, MatchesTheReferenceInF32) {
  const TinyOptions shapes[] = {
      {},
      {.n_embd = 72, .n_heads = 9, .n_kv_heads = 3, .n_ff = 100, .biases = true},
      {.n_embd = 80, .n_heads = 2, .n_kv_heads = 1, .head_dim = 40, .tied = false},
      {.n_heads = 6, .n_kv_heads = 6, .head_dim = 128, .rope_freqs = true},
      {.n_embd = 48, .n_heads = 64, .n_kv_heads = 1, .n_ff = 17, .head_dim = 2},
  };
  for (TinyOptions options : shapes) {
    options.n_context = 300;
    options.n_layers = 1;
    PlanOptions plan = kLong;
    plan.cache_k = plan.cache_v = Format::f32;
    const TinyPlan tiny(options, plan);
    for (const int64_t n : {1, 2, 5, 200})
      EXPECT_CLOSE(largest_difference(tiny, GetParam(), n), 1e-5, options.n_embd << ", " << n);
  }
}

TEST_P(CpuBackend, MatchesTheReferenceInEveryFormat) {
  PlanOptions plan{.n_positions = 128, .max_batch = 96};
  plan.cache_k = plan.cache_v = Format::f32;
  for (const FormatInfo& info : all_formats()) {
    if (!info.decode) continue;
    const TinyPlan tiny({.n_layers = 1,
                         .n_embd = 256,
                         .n_heads = 4,
                         .n_kv_heads = 2,
                         .n_ff = 256,
                         .matrices = info.format,
                         .embedding = info.format},
                        plan);
    const bool rounds = info.block_elems > 1 || info.format == Format::bf16;
    const double tolerance = rounds ? 0.02 : 1e-5;
    EXPECT_CLOSE(largest_difference(tiny, GetParam(), 20), tolerance, info.name);
  }
}

TEST_P(CpuBackend, MatchesTheReferenceWithEveryCacheTypeAndRopeLayout) {
  for (const Format k : {Format::f32, Format::f16, Format::bf16})
    for (const Format v : {Format::f32, Format::f16, Format::bf16}) {
      PlanOptions options = kLong;
      options.cache_k = k;
      options.cache_v = v;
      TinyPlan tiny({.n_layers = 1, .n_context = 300}, options);
      for (Step& step : tiny.plan.steps)
        if (auto* attend = std::get_if<Attend>(&step.args)) {
          attend->rope.layout = RopeLayout::half_split;
          attend->rope.n_dims = 12;
        }
      // A key that rounds to the other side is off by one unit of its type.
      const bool exact = k == Format::f32 && v == Format::f32;
      EXPECT_CLOSE(largest_difference(tiny, GetParam(), 150), exact ? 1e-5 : 5e-3,
                   format_info(k).name << " " << format_info(v).name);
    }
}

TinyOptions quantised(Format format) {
  const bool wide = format_info(format).block_elems == 256;
  return {.n_embd = wide ? 256 : 96,
          .n_heads = wide ? 8 : 6,
          .n_kv_heads = 2,
          .n_ff = wide ? 256 : 160,
          .n_context = 300,
          .matrices = format,
          .embedding = Format::q8_0};
}

TEST_P(CpuBackend, LogitsDoNotDependOnBatchesOrThreads) {
  for (const Format format :
       {Format::q4_1, Format::q8_0, Format::q5_k, Format::q6_k, Format::f16}) {
    if (test::kSlow && format != Format::q4_1) continue;
    const TinyPlan tiny(quantised(format), kLong);
    const auto ids = some_ids(test::kSlow ? 140 : 200, tiny.model.n_vocab);
    const std::vector<size_t> whole{200}, ones(ids.size(), 1),
        mixed{1, 2, 3, 4, 5, 17, 12, 64, 11, 81};
    const auto one = make_cpu_backend(1, GetParam());
    const Logits expected = in_batches(*one->compile(tiny.plan), ids, whole);
    for (const int threads : {1, 2, 3}) {
      const auto backend = make_cpu_backend(threads, GetParam());
      for (const auto& sizes : {whole, ones, mixed})
        EXPECT_TRUE(same_bits(in_batches(*backend->compile(tiny.plan), ids, sizes), expected))
            << format_info(format).name << ", " << threads << " threads, " << sizes.size()
            << " batches";
    }
  }
}

TEST_P(CpuBackend, LogitsDoNotDependOnOtherSequences) {
  const TinyPlan tiny(quantised(Format::q4_0), kLong);
  const auto a = some_ids(150, tiny.model.n_vocab, 1), b = some_ids(150, tiny.model.n_vocab, 2);
  const auto backend = make_cpu_backend(2, GetParam());
  const auto alone = backend->compile(tiny.plan), together = backend->compile(tiny.plan);
  const Logits expected = feed(*alone, a);
  // Two sequences in every batch, token by token in turns: first many, then one and two of each.
  Logits got;
  const auto run = [&](int32_t first, int32_t n) {
    std::vector<int32_t> tokens, positions, slots;
    for (int32_t i = first; i < first + n; ++i)
      for (const int32_t slot : {2, 0}) {
        tokens.push_back((slot == 0 ? a : b)[static_cast<size_t>(i)]);
        positions.push_back(i);
        slots.push_back(slot);
      }
    together->run({tokens, positions, slots, std::vector<uint8_t>(tokens.size(), 1)});
    for (int64_t row = 1; row < 2 * n; row += 2) {
      const auto logits = together->logits(row);
      got.emplace_back(logits.begin(), logits.end());
    }
  };
  run(0, 90);
  for (int32_t i = 90; i < 140; ++i) run(i, 1);
  for (int32_t i = 140; i < 150; i += 2) run(i, 2);
  EXPECT_TRUE(same_bits(got, expected));
}

TEST_P(CpuBackend, TruncateAndContinueIsAFreshRun) {
  const TinyPlan tiny(quantised(Format::q4_1), kLong);
  const auto a = some_ids(140, tiny.model.n_vocab, 1), b = some_ids(60, tiny.model.n_vocab, 2);
  const auto backend = make_cpu_backend(2, GetParam());
  for (const int64_t keep : {0, 1, 64, 100, 128, 139}) {
    if (test::kSlow && keep != 100) continue;
    const auto used = backend->compile(tiny.plan), fresh = backend->compile(tiny.plan);
    feed(*used, a);
    used->truncate(0, keep);
    EXPECT_EQ(used->length(0), keep);
    if (keep > 0) feed(*fresh, std::span(a).first(static_cast<size_t>(keep)));
    EXPECT_TRUE(same_bits(feed(*used, b), feed(*fresh, b))) << keep;
  }
}

TEST_P(CpuBackend, CopiedPrefixesGoTheirOwnWays) {
  const TinyPlan tiny(quantised(Format::q4_1), kLong);
  const auto prefix = some_ids(100, tiny.model.n_vocab, 1), a = some_ids(40, tiny.model.n_vocab, 2),
             b = some_ids(40, tiny.model.n_vocab, 3);
  const auto backend = make_cpu_backend(2, GetParam());
  const auto shared = backend->compile(tiny.plan), alone = backend->compile(tiny.plan);
  feed(*shared, prefix);
  shared->copy_prefix(0, 1, 90);
  const Logits on_a = feed(*shared, a, 0), on_b = feed(*shared, b, 1);
  feed(*alone, prefix, 0);
  feed(*alone, std::span(prefix).first(90), 1);
  EXPECT_TRUE(same_bits(on_a, feed(*alone, a, 0)));
  EXPECT_TRUE(same_bits(on_b, feed(*alone, b, 1)));
}

TEST_P(CpuBackend, PicksTheLargestLogitAndOnlyComputesWantedOnes) {
  const TinyPlan tiny(quantised(Format::q8_0), kLong);
  const auto ids = some_ids(20, tiny.model.n_vocab);
  const auto backend = make_cpu_backend(3, GetParam());
  const auto e = backend->compile(tiny.plan);
  std::vector<int32_t> positions(20), slots(20, 1);
  for (size_t i = 0; i < 20; ++i) positions[i] = static_cast<int32_t>(i);
  std::vector<uint8_t> wants(20, 0);
  wants[4] = wants[19] = 1;
  e->run({ids, positions, slots, wants});
  const Logits all = feed(*backend->compile(tiny.plan), ids);
  for (const auto& [row, token] : {std::pair<int64_t, size_t>{0, 4}, {1, 19}}) {
    EXPECT_EQ(std::memcmp(e->logits(row).data(), all[token].data(), all[token].size() * 4), 0);
    const auto largest = std::max_element(all[token].begin(), all[token].end());
    EXPECT_EQ(e->picked(row), largest - all[token].begin());
  }
  e->truncate(1, 5);
  e->run({std::span(ids).first(1), std::span(positions).subspan(5, 1), std::span(slots).first(1),
          std::span(wants).first(1)});  // no logits at all
  EXPECT_EQ(e->length(1), 6);
}

TEST(CpuBackendPlan, WeightsAreGivenBackOnceEachAndCountedOnce) {
  const TinyPlan tied(quantised(Format::q4_1));
  const auto backend = make_cpu_backend(2, "");
  std::mutex mutex;
  std::map<const uint8_t*, size_t> released;  // pieces
  const auto e =
      backend->compile(tied.plan, {.release_weights = [&](auto bytes) {
                         const std::lock_guard lock(mutex);
                         EXPECT_TRUE(released.emplace(bytes.data(), bytes.size()).second);
                       }});
  for (const Step& step : tied.plan.steps)
    for (const Tensor* t : weights_of(step)) {
      const uint8_t *at = t->data.data(), *end = at + t->data.size();
      while (at < end && released.contains(at)) at += released[at];
      EXPECT_EQ(at, end) << t->name;  // the tied table is the head's
    }
  EXPECT_GE(backend->memory(tied.plan).weights, weight_bytes(tied.plan));
  EXPECT_LT(backend->memory(tied.plan).weights, weight_bytes(tied.plan) * 11 / 10);
  EXPECT_EQ(backend->memory(tied.plan).kv, cache_bytes(tied.plan));
}

TEST(CpuBackendPlan, ATableThatIsOnlyLookedUpStaysInTheFile) {
  TinyOptions options = quantised(Format::q4_1);
  options.tied = false;
  options.head = Format::q8_0;
  const TinyPlan untied(options);
  const auto backend = make_cpu_backend(1, "");
  bool table_released = false;
  const auto& table = std::get<Embed>(untied.plan.steps.front().args).table;
  const auto e = backend->compile(untied.plan, {.release_weights = [&](auto bytes) {
                                    table_released |= bytes.data() == table.data.data();
                                  }});
  EXPECT_FALSE(table_released);
  EXPECT_LT(backend->memory(untied.plan).weights, weight_bytes(untied.plan));
}

// Prompts in wide and narrow tiles, single tokens, a prefix that was cut off, several threads.
Logits with_everything(const Plan& plan, std::span<const int32_t> ids, int threads, bool repack) {
  const auto e = make_cpu_backend(threads, "", repack)->compile(plan);
  const std::vector<size_t> sizes{40, 1, 5, 1, 13};
  in_batches(*e, ids, sizes);
  e->truncate(0, 30);
  return in_batches(*e, ids.subspan(30), sizes);
}

TEST(CpuBackendPlan, WeightsLeftInTheFileGiveTheSameBits) {
  for (const FormatInfo& info : all_formats()) {
    if (!info.decode) continue;
    const bool tied = info.block_elems == 32;  // and some of the others not
    TinyOptions options = quantised(info.format);
    options.biases = true;
    options.n_ff = info.block_elems == 256 ? 512 : 608;
    options.tied = tied;
    options.embedding = options.head = info.format;
    const TinyPlan tiny(options, kLong);
    const auto ids = some_ids(90, tiny.model.n_vocab);
    const Logits expected = with_everything(tiny.plan, ids, 1, true);
    ASSERT_EQ(expected.size(), 60u);
    for (const int threads : {1, 3})
      EXPECT_TRUE(same_bits(with_everything(tiny.plan, ids, threads, false), expected))
          << info.name << ", " << threads << " threads";
  }
}

TEST(CpuBackendPlan, WeightsLeftInTheFileAreNotCounted) {
  for (const bool tied : {true, false}) {
    TinyOptions options = quantised(Format::q4_k);
    options.tied = tied;
    const TinyPlan tiny(options, kLong);
    const auto copies = make_cpu_backend(2, ""), in_place = make_cpu_backend(2, "", false);
    int64_t matrices = 0, vectors = 0;  // bytes
    std::set<std::string_view> names;
    for (const Step& step : tiny.plan.steps)
      for (const Tensor* t : weights_of(step))
        if (names.insert(t->name).second) (t->rows == 1 ? vectors : matrices) += t->bytes();
    const Memory memory = in_place->memory(tiny.plan), with_copies = copies->memory(tiny.plan);
    EXPECT_EQ(memory.mapped, matrices);
    EXPECT_LE(memory.weights, 2 * vectors);
    EXPECT_EQ(memory.kv, with_copies.kv);
    EXPECT_GT(memory.scratch, with_copies.scratch);
    EXPECT_LT(memory.total(), with_copies.total());
    const auto e = in_place->compile(tiny.plan, {.release_weights = [&](auto bytes) {
                                       EXPECT_LE(bytes.size(), 4096u);  // a vector
                                     }});
  }
}

TEST(CpuBackendPlan, AbsurdPlansAreCountedNotOverflowed) {
  TinyPlan tiny;
  tiny.plan.options.n_positions = INT32_MAX - kPagePositions;
  tiny.plan.options.n_sequences = 4096;
  tiny.plan.options.max_batch = int64_t{1} << 40;
  const Memory memory = make_cpu_backend(1, "")->memory(tiny.plan);
  EXPECT_GT(memory.kv, int64_t{1} << 40);
  EXPECT_GT(memory.scratch, int64_t{1} << 40);
  EXPECT_GE(memory.total(), memory.kv);
}

TEST(CpuBackendPlan, RefusesABadBatchAndGoesOn) {
  const TinyPlan tiny;
  const auto e = make_cpu_backend(2, "")->compile(tiny.plan);
  const std::vector<int32_t> bad{static_cast<int32_t>(tiny.model.n_vocab)}, good{3}, zero{0};
  const std::vector<uint8_t> wants{1};
  EXPECT_THROW(e->run({bad, zero, zero, wants}), Error);
  EXPECT_EQ(e->length(0), 0);
  e->run({good, zero, zero, wants});
  EXPECT_EQ(e->length(0), 1);
}

TEST(CpuBackendPlan, DescribesItsKernels) {
  const auto lines = make_cpu_backend(2, "scalar")->describe();
  const auto value = [&](std::string_view label) {
    for (const auto& [l, v] : lines)
      if (l == label) return v;
    return std::string();
  };
  EXPECT_EQ(value("instruction set"), "scalar");
  EXPECT_EQ(value("threads"), "2");
  EXPECT_TRUE(value("Q4_1").starts_with("panel 16")) << value("Q4_1");
  EXPECT_TRUE(value("Q6_K").starts_with("panel 16")) << value("Q6_K");
  EXPECT_THROW(make_cpu_backend(1, "sse9"), Error);
}

}  // namespace
}  // namespace plumb
