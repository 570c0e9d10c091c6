// The reference backend against itself and against formulas written out again.

#include "backend/reference/reference.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backend/reference/math.h"
#include "support/tiny_engine.h"

namespace plumb {
namespace {

using test::feed;
using test::largest_difference;
using test::some_ids;
using test::TinyPlan;

TEST(ReferenceMath, NormDotSilu) {
  const std::vector<float> x{3, -4, 0, 12, 1, 1, 1, 2, 5}, ones(9, 1.0f);
  EXPECT_DOUBLE_EQ(reference::dot(x.data(), x.data(), 9), 9 + 16 + 144 + 3 + 4 + 25);
  std::vector<float> out(9);
  reference::rms_norm(x, ones, 0, out);
  EXPECT_NEAR(out[3], 12 / std::sqrt(201.0 / 9), 1e-6);
  EXPECT_NEAR(reference::activated(Activation::silu, 1), 0.7310585786, 1e-7);
  EXPECT_EQ(reference::activated(Activation::silu, -200), 0);
  EXPECT_NEAR(reference::activated(Activation::gelu, 1), 0.8411919906, 1e-7);
  EXPECT_NEAR(reference::activated(Activation::gelu, -0.5f), -0.1542860, 1e-7);
  EXPECT_NEAR(reference::capped(60, 30), 30 * std::tanh(2.0), 1e-12);
}

TEST(ReferenceMath, RotationsOfBothLayouts) {
  Rope rope{.layout = RopeLayout::interleaved, .n_dims = 4, .base = 100, .frequency_scale = 0.5f};
  rope.factors = {1, 4};
  std::vector<float> a{1, 2, 3, 4, 9}, b{1, 3, 2, 4, 9};  // the same pairs in the other order
  reference::rotate(rope, 6, a.data());
  const double t0 = 3, t1 = 3 * 0.1 / 4;
  EXPECT_NEAR(a[0], std::cos(t0) - 2 * std::sin(t0), 1e-6);
  EXPECT_NEAR(a[1], std::sin(t0) + 2 * std::cos(t0), 1e-6);
  EXPECT_NEAR(a[2], 3 * std::cos(t1) - 4 * std::sin(t1), 1e-6);
  EXPECT_EQ(a[4], 9);  // not rotated
  rope.layout = RopeLayout::half_split;
  reference::rotate(rope, 6, b.data());
  EXPECT_EQ(std::vector<float>({a[0], a[2], a[1], a[3], a[4]}), b);
}

// One layer, one head, computed again from the formulas of the model description in f64.
TEST(Reference, OneLayerByHand) {
  const TinyPlan tiny(
      {.n_layers = 1, .n_embd = 32, .n_heads = 1, .n_kv_heads = 1, .n_ff = 64, .biases = true});
  const auto backend = make_reference_backend();
  const auto e = backend->compile(tiny.plan);
  const std::vector<int32_t> ids{5, 17};
  const auto got = feed(*e, ids);

  using Vec = std::vector<double>;
  const auto values = [](const Tensor& t) { return reference::decode(t); };
  const auto times = [&](const Tensor& w, const Vec& x, const Tensor& bias) {
    const auto m = values(w), b = values(bias);
    Vec y(static_cast<size_t>(w.rows));
    for (size_t r = 0; r < y.size(); ++r) {
      for (size_t c = 0; c < x.size(); ++c) y[r] += static_cast<double>(m[r * x.size() + c]) * x[c];
      if (!b.empty()) y[r] += static_cast<double>(b[r]);
    }
    return y;
  };
  const auto norm = [&](const Tensor& w, const Vec& x) {
    double squares = 0;
    for (const double v : x) squares += v * v;
    const auto weight = values(w);
    Vec y = x;
    for (size_t i = 0; i < y.size(); ++i)
      y[i] *= static_cast<double>(weight[i]) / std::sqrt(squares / static_cast<double>(x.size()) +
                                                         static_cast<double>(tiny.model.norm_eps));
    return y;
  };
  const auto turn = [&](Vec x, double position) {
    for (size_t i = 0; i < 16; ++i) {
      const double t = position * std::pow(10000.0, -2.0 * static_cast<double>(i) / 32),
                   a = x[2 * i], b = x[2 * i + 1];
      x[2 * i] = a * std::cos(t) - b * std::sin(t);
      x[2 * i + 1] = a * std::sin(t) + b * std::cos(t);
    }
    return x;
  };
  const auto dot = [](const Vec& a, const Vec& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  };
  const Layer& layer = tiny.model.layers[0];
  const auto& a = std::get<Attention>(layer.mixer);
  const auto& f = std::get<DenseFfn>(layer.ffn);
  const auto table = values(tiny.model.embedding);
  std::vector<Vec> ks, vs;
  for (size_t t = 0; t < ids.size(); ++t) {
    const auto begin = table.begin() + ids[t] * 32;
    Vec x(begin, begin + 32);
    const Vec h = norm(layer.mixer_norm, x);
    const Vec q = turn(times(a.q, h, a.q_bias), static_cast<double>(t));
    ks.push_back(turn(times(a.k, h, a.k_bias), static_cast<double>(t)));
    vs.push_back(times(a.v, h, a.v_bias));
    Vec o(32);
    double sum = 0;
    for (size_t p = 0; p <= t; ++p) {
      const double w = std::exp(dot(q, ks[p]) / std::sqrt(32.0));
      sum += w;
      for (size_t i = 0; i < 32; ++i) o[i] += w * vs[p][i];
    }
    for (double& v : o) v /= sum;
    const Vec out = times(a.out, o, a.out_bias);
    for (size_t i = 0; i < 32; ++i) x[i] += out[i];
    const Vec g = norm(layer.ffn_norm, x);
    Vec gate = times(f.gate, g, {}), up = times(f.up, g, {});
    for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
    const Vec down = times(f.down, gate, {});
    for (size_t i = 0; i < 32; ++i) x[i] += down[i];
    const Vec logits = times(tiny.model.head, norm(tiny.model.final_norm, x), {});
    double largest = 0;
    for (size_t i = 0; i < logits.size(); ++i)
      largest = std::max(largest, std::abs(logits[i] - static_cast<double>(got[t][i])));
    EXPECT_LT(largest, 2e-3) << "token " << t;  // the cache of f16 rounds keys and values
  }
}

TEST(Reference, BatchAgainstOneByOne) {
  const TinyPlan tiny({.matrices = Format::q4_1, .rope_freqs = true});
  const auto backend = make_reference_backend();
  const auto whole = backend->compile(tiny.plan), single = backend->compile(tiny.plan);
  const auto ids = some_ids(90, tiny.model.n_vocab);
  const auto expected = feed(*whole, ids);
  for (size_t i = 0; i < ids.size(); ++i)
    EXPECT_LE(largest_difference(feed(*single, std::span(ids).subspan(i, 1))[0], expected[i]),
              1e-5);
}

TEST(Reference, TruncateAndContinueIsAFreshRun) {
  const TinyPlan tiny({.matrices = Format::q8_0});
  const auto backend = make_reference_backend();
  const auto a = backend->compile(tiny.plan), b = backend->compile(tiny.plan);
  const auto ids = some_ids(96, tiny.model.n_vocab), other = some_ids(40, tiny.model.n_vocab, 8);
  feed(*a, std::span(ids).first(70));
  a->truncate(0, 64);
  feed(*a, other);
  a->truncate(0, 33);
  feed(*b, std::span(ids).first(33));
  const auto rest = std::span(ids).subspan(33, 40);
  EXPECT_EQ(feed(*a, rest), feed(*b, rest));
}

TEST(Reference, SequencesInOneBatchDoNotSeeEachOther) {
  const TinyPlan tiny;
  const auto backend = make_reference_backend();
  const auto mixed = backend->compile(tiny.plan), alone = backend->compile(tiny.plan);
  const auto x = some_ids(20, tiny.model.n_vocab, 1), y = some_ids(20, tiny.model.n_vocab, 2);
  std::vector<int32_t> tokens, positions, slots;
  for (int32_t i = 0; i < 20; ++i)
    for (const int32_t slot : {2, 0}) {
      tokens.push_back((slot ? x : y)[static_cast<size_t>(i)]);
      positions.push_back(i);
      slots.push_back(slot);
    }
  const std::vector<uint8_t> wants(tokens.size(), 1);
  mixed->run({tokens, positions, slots, wants});
  const auto of_x = feed(*alone, x, 2), of_y = feed(*alone, y, 0);
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(largest_difference(mixed->logits(static_cast<int64_t>(2 * i)), of_x[i]), 0);
    EXPECT_EQ(largest_difference(mixed->logits(static_cast<int64_t>(2 * i + 1)), of_y[i]), 0);
  }
}

TEST(Reference, CopiedPrefixContinuesAsItsSource) {
  const TinyPlan tiny;
  const auto backend = make_reference_backend();
  const auto e = backend->compile(tiny.plan), fresh = backend->compile(tiny.plan);
  const auto ids = some_ids(80, tiny.model.n_vocab), tail = some_ids(10, tiny.model.n_vocab, 3);
  feed(*e, ids, 0);
  e->copy_prefix(0, 1, 70);
  feed(*fresh, std::span(ids).first(70), 0);
  const auto expected = feed(*fresh, tail, 0);
  EXPECT_EQ(feed(*e, tail, 1), expected);
  e->truncate(0, 70);  // the source was not written to
  EXPECT_EQ(feed(*e, tail, 0), expected);
}

TEST(Reference, PicksTheLowestOfTheLargest) {
  const TinyPlan tiny;
  const auto e = make_reference_backend()->compile(tiny.plan);
  const auto logits = feed(*e, some_ids(3, tiny.model.n_vocab));
  for (int64_t r = 0; r < 3; ++r) {
    const auto& row = logits[static_cast<size_t>(r)];
    EXPECT_EQ(e->picked(r), std::max_element(row.begin(), row.end()) - row.begin());
  }
}

}  // namespace
}  // namespace plumb
