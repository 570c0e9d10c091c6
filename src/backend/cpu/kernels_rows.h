// Kernels on single rows over the register model: norm, quantisation, rotation, arg-max, and the
// exponential. Included by each kernels_*.cpp after its simd_*.h.

#include "backend/cpu/kernels.h"

namespace plumb::cpu {
namespace {

using F = Simd::F;
using I = Simd::I;
using B = Simd::B;

// e^x to about 2 units in the last place: x = n ln 2 + r, |r| <= ln(2)/2, and the Taylor series of
// e^r up to r^7 (remainder below 6e-9). Clamped to the exponents of normal numbers; NaN stays NaN.
SIMD_INLINE F exponential(F x) {
  x = Simd::max(Simd::set(-87.0f), Simd::min(Simd::set(88.0f), x));
  const F n = Simd::round(Simd::mul(x, Simd::set(1.44269504f)));
  F r = Simd::fma(n, Simd::set(-0.693359375f), x);  // ln 2 in two parts, the first exact in n * it
  r = Simd::fma(n, Simd::set(2.12194440e-4f), r);
  F sum = Simd::set(1.0f / 5040);
  for (const float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    sum = Simd::fma(sum, r, Simd::set(c));
  return Simd::scale_by_power(sum, n);
}

// x / (1 + e^-y)
SIMD_INLINE F times_sigmoid(F x, F y) {
  const F e = exponential(Simd::sub(Simd::zero(), y));
  return Simd::div(x, Simd::add(Simd::set(1), e));
}

SIMD_INLINE F silu(F x) {
  return times_sigmoid(x, x);
}

// g to at most 7, u to within +-7: g / (1 + e^(-1.702 g)) * (u + 1)
SIMD_INLINE F clamped_swiglu(F g, F u) {
  const F limit = Simd::set(7), one = Simd::set(1);
  g = Simd::min(limit, g);
  u = Simd::add(Simd::max(Simd::set(-7), Simd::min(limit, u)), one);
  const F e = exponential(Simd::mul(Simd::set(-1.702f), g));
  return Simd::mul(Simd::div(g, Simd::add(one, e)), u);
}

// x/2 (1 + tanh(u)), which is x / (1 + e^-2u), with u = sqrt(2/pi) (x + 0.044715 x^3).
SIMD_INLINE F gelu(F x) {
  const F cubic =
      Simd::fma(Simd::mul(x, x), Simd::set(2 * 0.0356774081f), Simd::set(2 * 0.797884561f));
  return times_sigmoid(x, Simd::mul(x, cubic));
}

void norm(const float* x, const float* weight, float eps, int64_t n, float* out) {
  F squares = Simd::zero();
  for (int64_t i = 0; i < n; i += 16) {
    const F v = Simd::load_first(x + i, n - i);
    squares = Simd::fma(v, v, squares);
  }
  const float mean = Simd::sum_lanes(squares) / static_cast<float>(n);
  const F scale = Simd::set(1.0f / __builtin_sqrtf(mean + eps));
  for (int64_t i = 0; i < n; i += 16) {
    const F v = Simd::mul(Simd::load_first(x + i, n - i), scale);
    Simd::store_first(out + i, Simd::mul(v, Simd::load_first(weight + i, n - i)), n - i);
  }
}

// values = limit tanh(values / limit), tanh(y) being 1 - 2 / (e^2y + 1)
void cap(float* values, float limit, int64_t n) {
  const F one = Simd::set(1), two = Simd::set(2), scale = Simd::set(2 / limit);
  for (int64_t i = 0; i < n; i += 16) {
    const F e = exponential(Simd::mul(Simd::load_first(values + i, n - i), scale));
    const F tanh = Simd::sub(one, Simd::div(two, Simd::add(e, one)));
    Simd::store_first(values + i, Simd::mul(tanh, Simd::set(limit)), n - i);
  }
}

// to *= 1 / (1 + e^-gate)
void gate(float* to, const float* gates, int64_t n) {
  for (int64_t i = 0; i < n; i += 16)
    Simd::store_first(
        to + i, times_sigmoid(Simd::load_first(to + i, n - i), Simd::load_first(gates + i, n - i)),
        n - i);
}

// to = act(to) * x
void activate_silu(float* to, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 16)
    Simd::store_first(
        to + i, Simd::mul(silu(Simd::load_first(to + i, n - i)), Simd::load_first(x + i, n - i)),
        n - i);
}
void activate_gelu(float* to, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 16)
    Simd::store_first(
        to + i, Simd::mul(gelu(Simd::load_first(to + i, n - i)), Simd::load_first(x + i, n - i)),
        n - i);
}

// to = scale * (to + x)
void add(float* to, const float* x, float scale, int64_t n) {
  const F by = Simd::set(scale);
  for (int64_t i = 0; i < n; i += 16)
    Simd::store_first(
        to + i,
        Simd::mul(Simd::add(Simd::load_first(to + i, n - i), Simd::load_first(x + i, n - i)), by),
        n - i);
}

// See Activations.
int32_t corner(int32_t zero, int32_t sum) {
  return (zero & 0xffff) | static_cast<int32_t>(-static_cast<uint32_t>(sum) << 16);
}

// Blocks of 32. Codes cover the block's range in 254 steps; a block of nearly equal values takes
// larger ones, so that code + zero stays within +-1000 and every sum of products is exact in f32.
void quantize(const float* values, const Activations& to, int64_t row) {
  const int64_t n_blocks = to.blocks();
  for (int64_t b = 0; b < n_blocks; ++b, values += kBlockColumns) {
    const F low = Simd::load(values), high = Simd::load(values + 16);
    const float smallest = Simd::min_lanes(Simd::min(low, high));
    const float largest = Simd::max_lanes(Simd::max(low, high));
    const float magnitude = largest > -smallest ? largest : -smallest;
    const float by_range = (largest - smallest) / 254, by_magnitude = magnitude / 999;
    const float scale = by_range > by_magnitude ? by_range : by_magnitude;
    const F inverse = Simd::set(scale > 0 ? 1 / scale : 0);
    const I low_steps = Simd::round_to_int(Simd::mul(low, inverse));
    const I high_steps = Simd::round_to_int(Simd::mul(high, inverse));
    const I zero =
        Simd::add_i(Simd::round_to_int(Simd::mul(Simd::set(smallest), inverse)), Simd::set_i(128));
    int8_t* codes = to.codes + row * to.columns + b * kBlockColumns;
    Simd::store_i8(codes, Simd::sub_i(low_steps, zero));
    Simd::store_i8(codes + 16, Simd::sub_i(high_steps, zero));
    const int32_t sum = Simd::sum_lanes_i(Simd::add_i(low_steps, high_steps));
    const int64_t at = row * n_blocks + b;
    to.scales[at] = scale;
    to.corners[at] = corner(Simd::first_lane(zero), sum);
    to.scaled_sums[at] = scale * static_cast<float>(sum);
    if (!to.half_corners) continue;
    const int32_t low_sum = Simd::sum_lanes_i(low_steps);
    to.half_corners[2 * at] = corner(Simd::first_lane(zero), low_sum);
    to.half_corners[2 * at + 1] = corner(Simd::first_lane(zero), sum - low_sum);
    to.half_sums[2 * at] = scale * static_cast<float>(low_sum);
    to.half_sums[2 * at + 1] = scale * static_cast<float>(sum - low_sum);
  }
}

// Pairs stand side by side.
void rotate_interleaved(const Rotation& t, const float* x, F scale, float* out) {
  for (int64_t i = 0; i < t.n_dims; i += 16) {
    const int64_t n = t.n_dims - i;
    const F v = Simd::load_first(x + i, n);
    const F turned = Simd::mul(Simd::swap_pairs(v), Simd::load_first(t.sines + i, n));
    const F sum = Simd::fma(v, Simd::load_first(t.cosines + i, n), turned);
    Simd::store_first(out + i, Simd::mul(sum, scale), n);
  }
}

// The partner of a value of one half is in the other half.
void rotate_halves(const Rotation& t, const float* x, F scale, float* out) {
  const int64_t half = t.n_dims / 2;
  for (int64_t begin : {int64_t{0}, half}) {
    for (int64_t i = 0; i < half; i += 16) {
      const int64_t n = half - i, at = begin + i;
      const F partner = Simd::load_first(x + half - begin + i, n);
      const F turned = Simd::mul(partner, Simd::load_first(t.sines + at, n));
      const F sum =
          Simd::fma(Simd::load_first(x + at, n), Simd::load_first(t.cosines + at, n), turned);
      Simd::store_first(out + at, Simd::mul(sum, scale), n);
    }
  }
}

void rotate(const Rotation& t, const float* x, float scale, float* out) {
  const F s = Simd::set(scale);
  if (t.interleaved)
    rotate_interleaved(t, x, s, out);
  else
    rotate_halves(t, x, s, out);
  for (int64_t i = t.n_dims; i < t.head_dim; i += 16)
    Simd::store_first(out + i, Simd::mul(Simd::load_first(x + i, t.head_dim - i), s),
                      t.head_dim - i);
}

// Finds the largest value, then where it first stands.
int64_t largest(const float* values, int64_t n) {
  constexpr float kLowest = -__builtin_inff();
  F best = Simd::set(kLowest);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) best = Simd::max(Simd::load(values + i), best);
  if (i < n)
    best = Simd::max(Simd::keep_first(Simd::load_first(values + i, n - i), n - i, best), best);
  const float value = Simd::max_lanes(best);
  for (int64_t k = 0; k < n; ++k)
    if (values[k] == value) return k;
  return 0;
}

}  // namespace
}  // namespace plumb::cpu
