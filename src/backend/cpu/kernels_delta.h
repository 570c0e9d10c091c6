// Kernels of gated delta nets over the register model. Included by kernels_table.h after
// kernels_tiles.h.

#include "backend/cpu/kernels.h"

namespace plumb::cpu {
namespace {

// out = silu(sum over m of taps[m] * rows[m])
void convolve(const ConvolveArgs& a) {
  for (int64_t c = 0; c < a.n; c += 16) {
    F sum = Simd::zero();
    for (int64_t m = 0; m < a.width; ++m)
      sum = Simd::fma(Simd::load(a.taps + m * a.taps_stride + c), Simd::load(a.rows[m] + c), sum);
    Simd::store(a.out + c, silu(sum));
  }
}

// Squares of n values, a multiple of 16, summed.
SIMD_INLINE float squares(const float* x, int64_t n) {
  F sum = Simd::zero();
  for (int64_t i = 0; i < n; i += 16) {
    const F v = Simd::load(x + i);
    sum = Simd::fma(v, v, sum);
  }
  return Simd::sum_lanes(sum);
}

// x = x * scale / max(|x|, eps)
void normalise(float* x, float eps, float scale, int64_t n) {
  const float length = __builtin_sqrtf(squares(x, n));
  const F factor = Simd::set(scale / (length > eps ? length : eps));
  for (int64_t i = 0; i < n; i += 16) Simd::store(x + i, Simd::mul(Simd::load(x + i), factor));
}

// out = weight * x / sqrt(mean(x^2) + eps) * silu(gate)
void gated_norm(const float* x, const float* weight, float eps, const float* gate, int64_t n,
                float* out) {
  const F scale = Simd::set(1.0f / __builtin_sqrtf(squares(x, n) / static_cast<float>(n) + eps));
  for (int64_t i = 0; i < n; i += 16) {
    const F v = Simd::mul(Simd::mul(Simd::load(x + i), scale), Simd::load(weight + i));
    Simd::store(out + i, Simd::mul(v, silu(Simd::load(gate + i))));
  }
}

float dot(const float* a, const float* b, int64_t n) {
  F sum = Simd::zero();
  for (int64_t i = 0; i < n; i += 16)
    sum = Simd::fma(Simd::load_first(a + i, n - i), Simd::load_first(b + i, n - i), sum);
  return Simd::sum_lanes(sum);
}

// What the chunked form consists of: sums[t][r] += panels[r][d] * rows[t][d] for d from 0 on, in
// one chain per sum whatever the tile, so that tokens at once and one by one give the same bits.
template <CacheLevel kFetch = CacheLevel::none, int R, int T>
SIMD_INLINE void multiply_add(F (&sums)[T][R], const float* panels, int64_t panel_stride,
                              const float* rows, int64_t row_stride, int64_t depth,
                              int64_t depth_stride = 1, const float* next = nullptr) {
  for (int64_t d = 0; d < depth; ++d) {
    F lanes[R];
    for (int r = 0; r < R; ++r) {
      lanes[r] = Simd::load(panels + r * panel_stride + 16 * d);
      if constexpr (kFetch != CacheLevel::none) prefetch<kFetch>(next + r * panel_stride + 16 * d);
    }
    for (int t = 0; t < T; ++t) {
      const F row = Simd::set(rows[t * row_stride + d * depth_stride]);
      for (int r = 0; r < R; ++r) sums[t][r] = Simd::fma(lanes[r], row, sums[t][r]);
    }
  }
}

// A token's q and k with N keys.
template <int N>
SIMD_INLINE void multiply_keys(const DeltaTokens& a, int64_t t, int64_t first_key) {
  const float *q = a.rows + 2 * t * a.head_dim, *k = q + a.head_dim;
  const float* keys = a.keys + first_key * a.head_dim;
  F with_q[N], with_k[N];
  for (int s = 0; s < N; ++s) with_q[s] = with_k[s] = Simd::zero();
  for (int64_t i = 0; i < a.head_dim; i += 16) {
    const F of_q = Simd::load(q + i), of_k = Simd::load(k + i);
    for (int s = 0; s < N; ++s) {
      const F key = Simd::load(keys + s * a.head_dim + i);
      with_q[s] = Simd::fma(of_q, key, with_q[s]);
      with_k[s] = Simd::fma(of_k, key, with_k[s]);
    }
  }
  float* products = a.products + 2 * t * kChunkTokens + first_key;
  for (int s = 0; s < N; ++s) {
    products[s] = Simd::sum_lanes(with_q[s]);
    products[kChunkTokens + s] = Simd::sum_lanes(with_k[s]);
  }
}

void delta_keys(const DeltaTokens& a) {
  for (int64_t t = 0; t < a.n; ++t) {
    const float* k = a.rows + (2 * t + 1) * a.head_dim;
    for (int64_t i = 0; i < a.head_dim; i += 16)
      Simd::store(a.keys + (a.first + t) * a.head_dim + i, Simd::load(k + i));
    in_halving_tiles<Simd::kQueryRows>(0, a.first + t + 1,
                                       [&]<int N>(int64_t key) { multiply_keys<N>(a, t, key); });
  }
}

// How a token t of the chunk depends on the state S before it and on the changes d_s of tokens s:
//   d_t = beta_t (v_t - fall_t S^T k_t) + sum over s < t of predicted_ts d_s
//   o_t = fall_t S^T q_t + sum over s <= t of read_ts d_s
// and the state after the chunk on all of them: fall S + sum over s of k_s (falls_s d_s)^T.
struct DeltaFactors {
  float predicted[kChunkTokens][kChunkTokens], read[kChunkTokens][kChunkTokens];
  float fall[kChunkTokens];   // product of the decays up to t, its own included
  float falls[kChunkTokens];  // product of the decays after s
};

// What a decay leaves. Below 1e-30 it is nothing, next to anything; denormal numbers are slow.
SIMD_INLINE float fallen(float x, float decay) {
  return x * decay < 1e-30f ? 0 : x * decay;
}

DeltaFactors delta_factors(const DeltaArgs& a) {
  const DeltaTokens& x = a.tokens;
  DeltaFactors f;
  float fall = 1;
  for (float& falls : f.falls) falls = 1;
  for (int64_t t = 0; t < x.first + x.n; ++t) {
    const float decay = a.decays[t];
    fall = f.fall[t] = fallen(fall, decay);
    for (float& falls : f.falls) falls = fallen(falls, decay);
    f.falls[t] = 1;  // nothing has come after this one yet
    if (t < x.first) continue;
    const float beta = a.betas[t - x.first];
    const float* with_q = x.products + 2 * (t - x.first) * kChunkTokens;
    const float* with_k = with_q + kChunkTokens;
    for (int64_t s = 0; s <= t; ++s) {
      f.predicted[t][s] = -beta * with_k[s] * f.falls[s];
      f.read[t][s] = with_q[s] * f.falls[s];
    }
  }
  return f;
}

// R panels of a head. The state comes from memory once for all tokens, and is written with the
// chunk's last.
template <int R>
struct DeltaPanels {
  static constexpr int64_t kChanges = kChunkTokens * 16;  // of a panel
  const DeltaTokens& x;
  const DeltaFactors& f;
  float *state, *changes;
  float (*products)[R][16];  // [2 kChunkTokens], the rows' with the state
  int64_t state_stride = 16 * x.head_dim;

  // The panels at `next` are fetched meanwhile; beside these they are too much for the first level.
  SIMD_METHOD void multiply(const float* next) {
    in_halving_tiles<Simd::kFloatTokens>(0, 2 * x.n, [&]<int T>(int64_t row) {
      F sums[T][R];
      for (auto& sum : sums)
        for (F& s : sum) s = Simd::zero();
      multiply_add<CacheLevel::second>(sums, state, state_stride, x.rows + row * x.head_dim,
                                       x.head_dim, x.head_dim, 1, next);
      for (int t = 0; t < T; ++t)
        for (int r = 0; r < R; ++r) Simd::store(products[row + t][r], sums[t][r]);
    });
  }

  SIMD_METHOD void change(int64_t t, const float* v, float beta) {
    const F fall = Simd::set(f.fall[x.first + t]);
    F sums[1][R];
    for (int r = 0; r < R; ++r) {
      const F predicted = Simd::mul(fall, Simd::load(products[2 * t + 1][r]));
      sums[0][r] = Simd::mul(Simd::set(beta), Simd::sub(Simd::load(v + 16 * r), predicted));
    }
    multiply_add(sums, changes, kChanges, f.predicted[x.first + t], 0, x.first + t);
    for (int r = 0; r < R; ++r)
      Simd::store(changes + r * kChanges + 16 * (x.first + t), sums[0][r]);
  }

  SIMD_METHOD void read(int64_t t, float* out) {
    const F fall = Simd::set(f.fall[x.first + t]);
    F sums[1][R];
    for (int r = 0; r < R; ++r) sums[0][r] = Simd::mul(fall, Simd::load(products[2 * t][r]));
    multiply_add(sums, changes, kChanges, f.read[x.first + t], 0, x.first + t + 1);
    for (int r = 0; r < R; ++r) Simd::store(out + 16 * r, sums[0][r]);
  }

  SIMD_METHOD void take_in_chunk() {
    float fallen[R][kChunkTokens][16];
    for (int r = 0; r < R; ++r)
      for (int64_t s = 0; s < kChunkTokens; ++s)
        Simd::store(fallen[r][s],
                    Simd::mul(Simd::load(changes + r * kChanges + 16 * s), Simd::set(f.falls[s])));
    const F fall = Simd::set(f.fall[kChunkTokens - 1]);
    in_halving_tiles<Simd::kFloatTokens>(0, x.head_dim, [&]<int T>(int64_t i) {
      float* at = state + 16 * i;
      F sums[T][R];
      for (int t = 0; t < T; ++t)
        for (int r = 0; r < R; ++r)
          sums[t][r] = Simd::mul(fall, Simd::load(at + r * state_stride + 16 * t));
      multiply_add(sums, fallen[0][0], kChanges, x.keys + i, 1, kChunkTokens, x.head_dim);
      for (int t = 0; t < T; ++t)
        for (int r = 0; r < R; ++r) Simd::store(at + r * state_stride + 16 * t, sums[t][r]);
    });
  }
};

void delta_rule(const DeltaArgs& a) {
  const int64_t n = a.tokens.head_dim;
  const DeltaFactors f = delta_factors(a);
  in_tiles<Simd::kWidePanels>(0, n / 16, [&]<int R>(int64_t panel) {
    float products[2 * kChunkTokens][R][16];
    DeltaPanels<R> panels{a.tokens, f, a.state + panel * 16 * n,
                          a.changes + panel * 16 * kChunkTokens, products};
    const float* next = panel + R < n / 16 ? a.state + (panel + R) * 16 * n : a.next;
    panels.multiply(next);
    for (int64_t t = 0; t < a.tokens.n; ++t) panels.change(t, a.v + t * n + 16 * panel, a.betas[t]);
    for (int64_t t = 0; t < a.tokens.n; ++t) panels.read(t, a.out + t * n + 16 * panel);
    if (a.tokens.first + a.tokens.n == kChunkTokens) panels.take_in_chunk();
  });
}

}  // namespace
}  // namespace plumb::cpu
