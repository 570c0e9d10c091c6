// The gated delta rule (Yang, Kautz, Hatamizadeh 2024), token by token: convolution over time,
// gates, the state's update and read-out, the gated norm.

#include <algorithm>
#include <cmath>

#include "backend/reference/executable.h"
#include "backend/reference/math.h"

namespace plumb::reference {
namespace {

double softplus(double x) {
  return x > 20 ? x : std::log1p(std::exp(x));
}

float silu(float x) {
  return activated(Activation::silu, x);
}

// x / max(|x|, eps)
void normalise(std::span<float> x, float eps) {
  const double length = std::sqrt(dot(x.data(), x.data(), static_cast<int64_t>(x.size())));
  const double factor = 1 / std::max(length, static_cast<double>(eps));
  for (float& v : x) v = static_cast<float>(static_cast<double>(v) * factor);
}

}  // namespace

// silu of the sum over the last tokens, of which the state holds all but this one: [width - 1,
// channels], the oldest first.
std::vector<float> ReferenceExecutable::convolve(const DeltaRule& s, std::span<const float> taps,
                                                 const float* in, float* state) const {
  const int64_t n = s.channels(), before = s.conv_width - 1;
  std::vector<float> out(static_cast<size_t>(n));
  for (int64_t c = 0; c < n; ++c) {
    const float* tap = taps.data() + c * s.conv_width;
    double sum = static_cast<double>(tap[before]) * static_cast<double>(in[c]);
    for (int64_t m = 0; m < before; ++m)
      sum += static_cast<double>(tap[m]) * static_cast<double>(state[m * n + c]);
    out[static_cast<size_t>(c)] = silu(static_cast<float>(sum));
  }
  std::copy(state + n, state + before * n, state);
  std::copy(in, in + n, state + (before - 1) * n);
  return out;
}

// One head's state [v][k]: decay, the prediction for k, the correction towards v, the read-out of
// q.
void ReferenceExecutable::update_head(const DeltaRule& s, const HeadInput& in, float* state,
                                      float* out) const {
  const int64_t n = s.head_dim;
  const double scale = 1 / std::sqrt(static_cast<double>(n));
  for (int64_t j = 0; j < n; ++j) {
    float* row = state + j * n;
    for (int64_t i = 0; i < n; ++i)
      row[i] = static_cast<float>(static_cast<double>(row[i]) * in.decay);
    const double change = in.beta * (static_cast<double>(in.v[j]) - dot(row, in.k, n));
    for (int64_t i = 0; i < n; ++i)
      row[i] =
          static_cast<float>(static_cast<double>(row[i]) + change * static_cast<double>(in.k[i]));
    out[j] = static_cast<float>(scale * dot(row, in.q, n));
  }
}

void ReferenceExecutable::step(const DeltaRule& s) {
  const std::vector<float> taps = decode(s.conv), a = decode(s.a), dt = decode(s.dt_bias),
                           norm = decode(s.norm);
  const int64_t n = s.head_dim;
  for (int64_t t = 0; t < n_tokens() && !stopped(); ++t) {
    const auto at = static_cast<size_t>(t);
    const float* in = row(s.from, t);
    float* conv_state = states_.layer(slots_[at], s.state_layer);
    float* state = conv_state + (s.conv_width - 1) * s.channels();
    std::vector<float> c = convolve(s, taps, in, conv_state);
    for (int64_t h = 0; h < 2 * s.n_k_heads; ++h)  // q heads, then k heads
      normalise({c.data() + h * n, static_cast<size_t>(n)}, s.norm_eps);
    for (int64_t p = 0; p < s.n_v_heads; ++p) {
      const auto head = static_cast<size_t>(p);
      const float* q = c.data() + p % s.n_k_heads * n;
      const double gate =
          static_cast<double>(a[head]) *
          softplus(static_cast<double>(in[s.alpha_column() + p]) + static_cast<double>(dt[head]));
      const HeadInput input{q, q + s.n_k_heads * n, c.data() + (2 * s.n_k_heads + p) * n,
                            std::exp(gate), sigmoid(in[s.beta_column() + p])};
      float* out = row(s.to, t) + p * n;
      update_head(s, input, state + p * n * n, out);
      rms_norm({out, static_cast<size_t>(n)}, norm, s.norm_eps, {out, static_cast<size_t>(n)});
      for (int64_t i = 0; i < n; ++i) out[i] *= silu(in[s.z_column() + p * n + i]);
    }
    if (float* kept = states_.kept(slots_[at], positions_[at] + 1, s.state_layer))
      std::copy_n(conv_state, s.state_values(), kept);
  }
}

}  // namespace plumb::reference
