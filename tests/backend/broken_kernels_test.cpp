// `plumb check` on the CPU backend with one kernel spoiled by a mistake as people make them: it
// must find the step that the mistake shows in, and name it. Whole functions of the kernel table
// are replaced; what replaces them calls the sound one and changes what goes in or comes out.

#include <gtest/gtest.h>

#include <cmath>

#include "backend/cpu/executable.h"
#include "backend/cpu/instruction_set.h"
#include "backend/reference/reference.h"
#include "measure/check.h"
#include "support/slow.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

using cpu::Activations;
using cpu::Into;
using cpu::KernelSet;
using cpu::Matrix;
using cpu::Output;
using cpu::Scratch;

constexpr Format kLayers = Format::q4_1;  // scales, minima, nibbles
constexpr Format kTable = Format::q8_0;   // embedding and head

const KernelSet& sound() {
  return *cpu::available_kernels().front();
}

cpu::FormatKernel& kernel_of(KernelSet& kernels, Format format) {
  for (cpu::FormatKernel& f : kernels.formats)
    if (f.format == format) return f;
  throw std::logic_error("no such kernel");
}

cpu::Multiply sound_multiply(Format format) {
  KernelSet copy = sound();
  return kernel_of(copy, format).multiply;
}

// Quantised activations with a copy of everything, to be spoiled.
struct Copied {
  Copied(const Activations& x, int64_t n)
      : n_tokens(n),
        codes(x.codes, x.codes + n * x.columns),
        scales(x.scales, x.scales + n * x.blocks()),
        scaled_sums(x.scaled_sums, x.scaled_sums + n * x.blocks()),
        corners(x.corners, x.corners + n * x.blocks()),
        view(x) {
    view.codes = codes.data();
    view.scales = scales.data();
    view.scaled_sums = scaled_sums.data();
    view.corners = corners.data();
  }
  int64_t n_tokens;
  std::vector<int8_t> codes;
  std::vector<float> scales, scaled_sums;
  std::vector<int32_t> corners;
  Activations view;
};

template <auto kSpoil>
void with_activations(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                      int64_t n_tokens, const Output& output, const Scratch& scratch) {
  Copied copied(x, n_tokens);
  kSpoil(copied);
  sound_multiply(matrix.format)(matrix, first, n, copied.view, n_tokens, output, scratch);
}

// W x of the panels [first, first + n), [token, rows] without bias, to be spoiled before it goes
// where it belongs.
struct Product {
  const Matrix& matrix;
  int64_t first_row, end_row, n_tokens;
  std::vector<float> values;

  float& at(int64_t token, int64_t row) {
    return values[static_cast<size_t>(token * matrix.rows + row)];
  }
};

void finish(const Product& y, const Output& output) {
  for (int64_t t = 0; t < y.n_tokens; ++t)
    for (int64_t row = y.first_row; row < y.end_row; ++row) {
      float& to = output.to[t * output.stride + row];
      const float v = y.values[static_cast<size_t>(t * y.matrix.rows + row)] +
                      (y.matrix.bias ? y.matrix.bias[row] : 0);
      if (output.into == Into::set) to = v;
      if (output.into == Into::add) to += v;
      if (output.into == Into::gate_silu) to = to / (1 + std::exp(-to)) * v;
    }
}

template <auto kSpoil>
void with_product(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                  int64_t n_tokens, const Output& output, const Scratch& scratch) {
  Product y{matrix, first * cpu::kPanelRows, std::min((first + n) * cpu::kPanelRows, matrix.rows),
            n_tokens, std::vector<float>(static_cast<size_t>(n_tokens * matrix.rows))};
  Matrix bare = matrix;
  bare.bias = nullptr;
  sound_multiply(matrix.format)(bare, first, n, x, n_tokens,
                                {y.values.data(), matrix.rows, Into::set}, scratch);
  kSpoil(y);
  finish(y, output);
}

template <auto kChange>
void with_output(const Matrix& matrix, int64_t first, int64_t n, const Activations& x,
                 int64_t n_tokens, const Output& output, const Scratch& scratch) {
  Matrix changed_matrix = matrix;
  Output changed = output;
  kChange(changed_matrix, changed);
  sound_multiply(matrix.format)(changed_matrix, first, n, x, n_tokens, changed, scratch);
}

// Mistakes of matrix kernels.

void forget_last_block(Copied& x) {
  for (int64_t t = 0; t < x.n_tokens; ++t) {
    const auto last = static_cast<size_t>((t + 1) * x.view.blocks() - 1);
    x.scales[last] = x.scaled_sums[last] = 0;
  }
}
void forget_last_block_of_few_tokens(Copied& x) {
  if (x.n_tokens == 1) forget_last_block(x);
}
// Where kernels for few tokens stand.
void give_few_tokens_the_firsts_rows(Product& y) {
  if (y.n_tokens >= 12) return;
  for (int64_t t = 1; t < y.n_tokens; ++t)
    for (int64_t row = y.first_row; row < y.end_row; ++row) y.at(t, row) = y.at(0, row);
}
void forget_the_sixth_of_six(Product& y) {
  if (y.n_tokens != 6) return;
  for (int64_t row = y.first_row; row < y.end_row; ++row) y.at(5, row) = 0;
}
void forget_last_block_of_many_tokens(Copied& x) {
  if (x.n_tokens > 1) forget_last_block(x);
}
// Where only the widest kernels stand.
void forget_last_block_of_25_tokens(Copied& x) {
  if (x.n_tokens >= 25) forget_last_block(x);
}
void ignore_minima(Copied& x) {
  std::fill(x.scaled_sums.begin(), x.scaled_sums.end(), 0.0f);
}
// Four columns of one block read the codes of their neighbours.
void take_a_neighbouring_group(Copied& x) {
  for (int64_t t = 0; t < x.n_tokens; ++t)
    for (int64_t k = 0; k < 4; ++k) {
      const auto at = static_cast<size_t>(t * x.view.columns + k);
      std::swap(x.codes[at], x.codes[at + 4]);
    }
}
void take_the_next_blocks_scale(Copied& x) {
  for (int64_t t = 0; t < x.n_tokens; ++t) {
    const auto at = static_cast<size_t>(t * x.view.blocks());
    x.scales[at] = x.scales[at + 1];
  }
}
void turn_a_lane_around(Product& y) {
  for (int64_t t = 0; t < y.n_tokens; ++t)
    for (int64_t row = y.first_row + 5; row < y.end_row; row += cpu::kPanelRows)
      y.at(t, row) = -y.at(t, row);
}
void repeat_a_lane_in_the_last_panel(Product& y) {
  if (y.end_row != y.matrix.rows) return;
  for (int64_t t = 0; t < y.n_tokens; ++t) y.at(t, y.end_row - 1) = y.at(t, y.end_row - 2);
}
void repeat_a_token_at_the_end_of_a_tile(Product& y) {
  if (y.n_tokens < 4) return;
  for (int64_t row = y.first_row; row < y.end_row; ++row)
    y.at(y.n_tokens - 1, row) = y.at(y.n_tokens - 2, row);
}
void forget_the_bias(Matrix& matrix, Output&) {
  matrix.bias = nullptr;
}
void set_where_to_add(Matrix&, Output& output) {
  if (output.into == Into::add) output.into = Into::set;
}
void add_where_to_gate(Matrix&, Output& output) {
  if (output.into == Into::gate_silu) output.into = Into::add;
}

template <auto kMultiply, Format kFormat = kLayers>
void plant(KernelSet& kernels) {
  kernel_of(kernels, kFormat).multiply = kMultiply;
}

// Mistakes of the other kernels.

void norm_without_its_last_values(const float* x, const float* weight, float eps, int64_t n,
                                  float* out) {
  sound().norm(x, weight, eps, n, out);
  double with = 0, without = 0;
  for (int64_t i = 0; i < n; ++i) {
    with += x[i] * x[i];
    if (i < n - 16) without += x[i] * x[i];
  }
  for (int64_t i = 0; i < n; ++i) out[i] *= static_cast<float>(std::sqrt(with / without));
}
void norm_with_one_weight_too_far(const float* x, const float* weight, float eps, int64_t n,
                                  float* out) {
  sound().norm(x, weight, eps, n, out);
  out[n - 1] *= 1.5f;
}
void quantize_with_an_overflow(const float* values, const Activations& to, int64_t row) {
  sound().quantize(values, to, row);
  for (int64_t k = 0; k < 32; ++k) {
    int8_t& code = to.codes[row * to.columns + k];
    if (code == -128) code = 127;
  }
}
// Only formats with an offset use the sum: those of the head.
void quantize_without_the_last_sum(const float* values, const Activations& to, int64_t row) {
  sound().quantize(values, to, row);
  to.corners[(row + 1) * to.blocks() - 1] &= 0xffff;
}
void rotate_the_other_way(const cpu::Rotation& r, const float* x, float scale, float* out) {
  std::vector<float> sines(r.sines, r.sines + r.n_dims);
  for (float& s : sines) s = -s;
  sound().rotate({r.cosines, sines.data(), r.n_dims, r.head_dim, r.interleaved}, x, scale, out);
}
void rotate_with_a_neighbours_angle(const cpu::Rotation& r, const float* x, float scale,
                                    float* out) {
  std::vector<float> cosines(r.cosines, r.cosines + r.n_dims);
  cosines[2] = cosines[4];
  sound().rotate({cosines.data(), r.sines, r.n_dims, r.head_dim, r.interleaved}, x, scale, out);
}
int64_t largest_but_the_next(const float* values, int64_t n) {
  return std::min(sound().largest(values, n) + 1, n - 1);
}
void softmax_with_a_lane_missing(float* scores, int64_t n, float* max, float* sum) {
  sound().softmax(scores, n, max, sum);
  *sum -= scores[0];
}
void softmax_a_little_off(float* scores, int64_t n, float* max, float* sum) {
  sound().softmax(scores, n, max, sum);
  for (int64_t i = 0; i < n; i += 2) scores[i] *= 1.03f;
}
void merge_without_scaling(float* max, float* sum, float* values, float next_max, float next_sum,
                           const float* next_values, int64_t n) {
  sound().merge(max, sum, values, *max, next_sum, next_values, n);
  *max = std::max(*max, next_max);
}
void merge_without_the_next_sum(float* max, float* sum, float* values, float next_max, float,
                                const float* next_values, int64_t n) {
  sound().merge(max, sum, values, next_max, 0, next_values, n);
}
void divide_all_but_the_last(const float* values, float sum, int64_t n, float* out) {
  sound().divide(values, sum, n, out);
  out[n - 1] = values[n - 1];
}

const KernelSet::CacheKernels& sound_cache(Format format) {
  for (const auto& k : sound().cache)
    if (k.format == format) return k;
  throw std::logic_error("no such cache");
}
void scores_without_the_last_dimension(const cpu::ScoreArgs& args) {
  std::vector<float> q(args.q, args.q + args.n_rows * args.head_dim);
  for (int64_t r = 0; r < args.n_rows; ++r) q[static_cast<size_t>((r + 1) * args.head_dim - 1)] = 0;
  cpu::ScoreArgs changed = args;
  changed.q = q.data();
  sound_cache(Format::f16).scores(changed);
}
void values_without_the_last_position(const cpu::ValueArgs& args) {
  std::vector<int32_t> limits(args.limits, args.limits + args.n_rows);
  for (int32_t& limit : limits) limit = std::max(0, limit - 1);
  cpu::ValueArgs changed = args;
  changed.limits = limits.data();
  sound_cache(Format::f16).values(changed);
}
void widen_all_but_the_last(const void* page, int64_t n, float* out) {
  sound_cache(Format::f16).widen(page, n, out);
  std::fill(out + n - 16, out + n, 0.0f);
}
void store_k_one_too_far(const float* k, int64_t head_dim, void* page, int64_t position) {
  sound_cache(Format::f16).store_k(k, head_dim, page, std::min<int64_t>(position + 1, 63));
}
void store_v_without_its_end(const float* v, int64_t head_dim, void* page, int64_t position) {
  std::vector<float> changed(v, v + head_dim);
  changed.back() = 0;
  sound_cache(Format::f16).store_v(changed.data(), head_dim, page, position);
}

KernelSet::CacheKernels& f16_cache(KernelSet& kernels) {
  for (auto& k : kernels.cache)
    if (k.format == Format::f16) return k;
  throw std::logic_error("no such cache");
}

struct Mistake {
  std::string name;
  std::string step;  // the name check must give
  void (*plant)(KernelSet&);
};
// For gtest's messages.
void PrintTo(const Mistake& m, std::ostream* out) {
  *out << m.name;
}

const Mistake kMistakes[] = {
    {"FewTokens", "layer 0 qkv", plant<with_product<give_few_tokens_the_firsts_rows>>},
    {"SixTokens", "layer 0 qkv", plant<with_product<forget_the_sixth_of_six>>},
    {"LastBlock", "layer 0 qkv", plant<with_activations<forget_last_block>>},
    {"LastBlockOfOneToken", "layer 0 qkv",
     plant<with_activations<forget_last_block_of_few_tokens>>},
    {"LastBlockOfManyTokens", "layer 0 qkv",
     plant<with_activations<forget_last_block_of_many_tokens>>},
    {"LastBlockOf25Tokens", "layer 0 qkv", plant<with_activations<forget_last_block_of_25_tokens>>},
    {"Minima", "layer 0 qkv", plant<with_activations<ignore_minima>>},
    {"ColumnGroup", "layer 0 qkv", plant<with_activations<take_a_neighbouring_group>>},
    {"BlockScale", "layer 0 qkv", plant<with_activations<take_the_next_blocks_scale>>},
    {"LaneSign", "layer 0 qkv", plant<with_product<turn_a_lane_around>>},
    {"LastPanel", "layer 0 qkv", plant<with_product<repeat_a_lane_in_the_last_panel>>},
    {"LastToken", "layer 0 qkv", plant<with_product<repeat_a_token_at_the_end_of_a_tile>>},
    {"Bias", "layer 0 qkv", plant<with_output<forget_the_bias>>},
    {"Add", "layer 0 out", plant<with_output<set_where_to_add>>},
    {"Gate", "layer 0 gate up", plant<with_output<add_where_to_gate>>},
    {"Head", "head", plant<with_product<repeat_a_lane_in_the_last_panel>, kTable>},
    {"NormSum", "layer 0 qkv", [](KernelSet& k) { k.norm = norm_without_its_last_values; }},
    {"NormWeight", "layer 0 qkv", [](KernelSet& k) { k.norm = norm_with_one_weight_too_far; }},
    {"QuantizeOverflow", "layer 0 qkv",
     [](KernelSet& k) { k.quantize = quantize_with_an_overflow; }},
    {"QuantizeSum", "head", [](KernelSet& k) { k.quantize = quantize_without_the_last_sum; }},
    {"Rotation", "layer 0 merge", [](KernelSet& k) { k.rotate = rotate_the_other_way; }},
    {"RotationAngle", "layer 0 merge",
     [](KernelSet& k) { k.rotate = rotate_with_a_neighbours_angle; }},
    {"Scores", "layer 0 merge",
     [](KernelSet& k) { f16_cache(k).scores = scores_without_the_last_dimension; }},
    {"Values", "layer 0 merge",
     [](KernelSet& k) { f16_cache(k).values = values_without_the_last_position; }},
    {"Widen", "layer 0 merge", [](KernelSet& k) { f16_cache(k).widen = widen_all_but_the_last; }},
    {"StoreK", "layer 0 merge", [](KernelSet& k) { f16_cache(k).store_k = store_k_one_too_far; }},
    {"StoreV", "layer 0 merge",
     [](KernelSet& k) { f16_cache(k).store_v = store_v_without_its_end; }},
    {"SoftmaxLane", "layer 0 merge", [](KernelSet& k) { k.softmax = softmax_with_a_lane_missing; }},
    {"SoftmaxOff", "layer 0 merge", [](KernelSet& k) { k.softmax = softmax_a_little_off; }},
    {"MergeScale", "layer 0 merge", [](KernelSet& k) { k.merge = merge_without_scaling; }},
    {"MergeSum", "layer 0 merge", [](KernelSet& k) { k.merge = merge_without_the_next_sum; }},
    {"Divide", "layer 0 merge", [](KernelSet& k) { k.divide = divide_all_but_the_last; }},
    {"Largest", "pick", [](KernelSet& k) { k.largest = largest_but_the_next; }},
};

const test::TinyPlan& tiny() {
  static const test::TinyPlan plan(
      {.n_embd = 288,
       .n_heads = 9,
       .n_kv_heads = 3,
       .n_ff = 320,
       .matrices = kLayers,
       .embedding = kTable,
       .biases = true},
      {.n_positions = kAttentionTokens, .max_batch = kAttentionTokens, .max_logits = 1});
  return plan;
}

CheckResult checked(const KernelSet& kernels) {
  const Plan& plan = tiny().plan;
  const auto reference = make_reference_backend()->compile(plan);
  cpu::CpuExecutable cpu(plan, kernels, std::make_shared<ThreadPool>(2), cpu::Lives::in_panels,
                         INT64_MAX, {});
  return check(plan, *reference, cpu, test::some_ids(kCheckTokens, plan.n_vocab));
}

TEST(BrokenKernels, SoundOnesPass) {
  const CheckResult result = checked(sound());
  EXPECT_FALSE(result.first) << result.first->name << " " << result.first->max_rel << " "
                             << result.first->rms_rel;
}

class BrokenKernel : public ::testing::TestWithParam<Mistake> {};
INSTANTIATE_TEST_SUITE_P(Mistakes, BrokenKernel, ::testing::ValuesIn(kMistakes),
                         [](const auto& param) { return param.param.name; });

TEST_P(BrokenKernel, IsFoundAndItsStepNamed) {
  // The kernels themselves are run under sanitizers by other tests.
  if (test::kSanitized) GTEST_SKIP() << "the release build runs it";
  KernelSet kernels = sound();
  GetParam().plant(kernels);
  const CheckResult result = checked(kernels);
  ASSERT_TRUE(result.first);
  EXPECT_EQ(result.first->name, GetParam().step);
  std::printf("%s: %.3f of the largest, %.3f in root mean square\n", result.first->name.c_str(),
              result.first->max_rel, result.first->rms_rel);
}

}  // namespace
}  // namespace plumb
