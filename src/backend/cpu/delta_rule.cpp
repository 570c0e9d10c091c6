#include "backend/cpu/delta_rule.h"

#include <algorithm>
#include <cmath>

namespace plumb::cpu {
namespace {

float softplus(float x) {
  return x > 20 ? x : std::log1p(std::exp(x));
}

}  // namespace

void DeltaRuleStep::run(const Worker& w) const {
  const BatchState& batch = w.run.batch;
  const int64_t n_groups = static_cast<int64_t>(batch.groups.size());
  const auto own = w.share(n_groups * rule.n_k_heads);
  for (int64_t unit = own.begin; unit < own.end; ++unit) {
    const BatchState::Group& group = batch.groups[static_cast<size_t>(unit / rule.n_k_heads)];
    float* state = w.run.states.layer(group.slot, rule.state_layer);
    for (int64_t t = 0; t < group.n;) {
      const int32_t* tokens = batch.order.data() + group.first + t;
      const int64_t position = batch.positions[static_cast<size_t>(*tokens)];
      const int64_t first = position % kDeltaChunk;
      const int64_t n = std::min(kDeltaChunk - first, group.n - t);
      float* kept = w.run.states.kept(group.slot, position + n, rule.state_layer);
      run_key_head(w, {tokens, first, n, state, kept}, unit % rule.n_k_heads);
      t += n;
    }
  }
}

// Raw channels of the piece's token `index`; those before its first one are in the state.
const float* DeltaRuleStep::row(const Piece& piece, int64_t index, int64_t channel) const {
  if (index < 0) return piece.state + (rule.conv_width - 1 + index) * rule.channels() + channel;
  return from + piece.tokens[index] * columns + channel;
}

void DeltaRuleStep::convolve(const Worker& w, const Piece& piece, int64_t channel, float* out,
                             int64_t stride) const {
  const float* rows[kMaxConvWidth];
  for (int64_t t = 0; t < piece.n; ++t) {
    for (int64_t m = 0; m < rule.conv_width; ++m)
      rows[m] = row(piece, t - (rule.conv_width - 1) + m, channel);
    w.run.kernels.convolve(
        {rows, taps + channel, rule.channels(), rule.conv_width, rule.head_dim, out + t * stride});
  }
}

// The last rows of the piece become those that the next one finds in the state.
void DeltaRuleStep::shift(const Piece& piece, int64_t channel) const {
  const int64_t before = rule.conv_width - 1;
  for (int64_t m = 0; m < before; ++m) {
    const int64_t at = m * rule.channels() + channel;
    std::copy_n(row(piece, piece.n - before + m, channel), rule.head_dim, piece.state + at);
    if (piece.kept) std::copy_n(piece.state + at, rule.head_dim, piece.kept + at);
  }
}

void DeltaRuleStep::run_key_head(const Worker& w, const Piece& piece, int64_t head) const {
  const DeltaScratch& s = w.space().delta;
  const int64_t n = rule.head_dim, q = head * n, k = q + rule.n_k_heads * n;
  const float scale = 1 / std::sqrt(static_cast<float>(n));
  convolve(w, piece, q, s.rows, 2 * n);
  convolve(w, piece, k, s.rows + n, 2 * n);
  for (int64_t t = 0; t < piece.n; ++t) {
    w.run.kernels.normalise(s.rows + 2 * t * n, rule.norm_eps, scale, n);
    w.run.kernels.normalise(s.rows + (2 * t + 1) * n, rule.norm_eps, 1, n);
  }
  const DeltaTokens tokens{piece.first, piece.n, n, s.rows, piece.state + rule.keys_at(head),
                           s.products};
  w.run.kernels.delta_keys(tokens);
  for (int64_t p = head; p < rule.n_v_heads; p += rule.n_k_heads)
    run_value_head(w, piece, tokens, p);
  shift(piece, q);
  shift(piece, k);
}

void DeltaRuleStep::run_value_head(const Worker& w, const Piece& piece, const DeltaTokens& tokens,
                                   int64_t head) const {
  const DeltaScratch& s = w.space().delta;
  const int64_t n = rule.head_dim, v = (2 * rule.n_k_heads + head) * n;
  float* decays = piece.state + rule.decays_at(head);
  convolve(w, piece, v, s.v, n);
  for (int64_t t = 0; t < piece.n; ++t) {
    const float* in = from + piece.tokens[t] * columns;
    decays[piece.first + t] =
        std::exp(a[head] * softplus(in[rule.alpha_column() + head] + dt_bias[head]));
    s.betas[t] = 1 / (1 + std::exp(-in[rule.beta_column() + head]));
  }
  const int64_t at = rule.conv_values() + head * n * n;
  float* state = piece.state + at;
  const int64_t step = head + rule.n_k_heads < rule.n_v_heads ? rule.n_k_heads * n * n : 0;
  w.run.kernels.delta_rule(
      {tokens, s.v, s.betas, decays, decays + kDeltaChunk, state, state + step, s.out});
  if (piece.kept) std::copy_n(state, n * n, piece.kept + at);
  for (int64_t t = 0; t < piece.n; ++t) {
    const int64_t token = piece.tokens[t];
    w.run.kernels.gated_norm(s.out + t * n, norm, rule.norm_eps,
                             from + token * columns + rule.z_column() + head * n, n,
                             to + token * rule.inner() + head * n);
  }
  shift(piece, v);
}

}  // namespace plumb::cpu
