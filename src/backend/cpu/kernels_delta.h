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

// R panels of the state through all tokens, in the first-level cache from the second pass on. A
// pass updates the state for one token, reads it out, and predicts what it says of the next token's
// key, so that every value is loaded and stored once per token.
template <int R>
void delta_panels(const DeltaArgs& a, int64_t panel) {
  const int64_t n = a.head_dim, stride = 16 * n;
  float* state = a.state + panel * stride;
  const bool last = panel + R >= n / 16;
  const float* ahead = last ? a.next : state + R * stride;
  F predicted[R];
  for (int r = 0; r < R; ++r) predicted[r] = Simd::zero();
  for (int64_t i = 0; i < n; ++i) {
    const F k = Simd::set(a.k[i]);
    for (int r = 0; r < R; ++r)
      predicted[r] = Simd::fma(Simd::load(state + r * stride + 16 * i), k, predicted[r]);
  }
  for (int64_t t = 0; t < a.n_tokens; ++t) {
    const F decay = Simd::set(a.decays[t]), beta = Simd::set(a.betas[t]);
    const bool more = t + 1 < a.n_tokens;
    const float* k = a.k + t * n;
    const float* next_k = more ? k + n : k;
    const float* q = a.q + t * n;
    F change[R], out[R];
    for (int r = 0; r < R; ++r) {
      const F v = Simd::load(a.v + t * n + 16 * (panel + r));
      change[r] = Simd::mul(beta, Simd::sub(v, Simd::mul(decay, predicted[r])));
      out[r] = predicted[r] = Simd::zero();
    }
    for (int64_t i = 0; i < n; ++i) {
      const F key = Simd::set(k[i]), query = Simd::set(q[i]), next = Simd::set(next_k[i]);
      for (int r = 0; r < R; ++r) {
        float* at = state + r * stride + 16 * i;
        if (t == 0) __builtin_prefetch(ahead + r * stride + 16 * i);
        const F s = Simd::fma(key, change[r], Simd::mul(decay, Simd::load(at)));
        Simd::store(at, s);
        out[r] = Simd::fma(s, query, out[r]);
        predicted[r] = Simd::fma(s, next, predicted[r]);
      }
    }
    for (int r = 0; r < R; ++r) Simd::store(a.out + t * n + 16 * (panel + r), out[r]);
  }
}

void delta_rule(const DeltaArgs& a) {
  in_tiles<(Simd::kWidePanels > 1 ? 4 : 2)>(
      0, a.head_dim / 16, [&]<int R>(int64_t panel) { delta_panels<R>(a, panel); });
}

}  // namespace
}  // namespace plumb::cpu
