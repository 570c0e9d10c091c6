// Attention of the reference backend: every variant, one token and head at a time.

#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/reference/executable.h"
#include "backend/reference/math.h"

namespace plumb::reference {
namespace {

// A head as it is projected, normed where asked to and turned by its position.
std::vector<float> turned(const Rope& rope, const Norm& norm, int64_t position, const float* head,
                          int64_t head_dim) {
  std::vector<float> out(head, head + head_dim);
  if (norm.weight) rms_norm(out, decode(norm.weight), norm.eps, out);
  rotate(rope, position, out.data());
  return out;
}

}  // namespace

uint8_t* ReferenceExecutable::cached(const Attend& s, bool is_v, int32_t page, int64_t kv_head,
                                     int64_t offset) {
  const Format format = is_v ? plan_.cache.v : plan_.cache.k;
  const PoolPlace& pool = pools_[static_cast<size_t>(pool_of(s))];
  uint8_t* base = cache_.data() + pool.at + page * pool.page_bytes +
                  layer_offset_[static_cast<size_t>(s.cache_layer)];
  if (is_v) base += format_bytes(plan_.cache.k, s.n_kv_heads * kPagePositions * s.head_dim);
  return base + format_bytes(format, (kv_head * kPagePositions + offset) * s.head_dim);
}

void ReferenceExecutable::append_to_cache(const Attend& s, int64_t token) {
  const int64_t position = positions_[static_cast<size_t>(token)];
  const int64_t offset = position % kPagePositions;
  const int32_t page = sequences_.page(slots_[static_cast<size_t>(token)], position, pool_of(s));
  const std::vector<float> ones(static_cast<size_t>(s.head_dim), 1.0f);
  for (int64_t g = 0; g < s.n_kv_heads; ++g) {
    const float* heads = row(s.qkv, token) + g * s.head_dim;
    const std::vector<float> k =
        turned(s.rope, s.k_norm, position, heads + s.k_column(), s.head_dim);
    std::vector<float> v(heads + s.v_column(), heads + s.v_column() + s.head_dim);
    if (s.v_norm) rms_norm(v, ones, s.k_norm.eps, v);
    format_info(plan_.cache.k).encode(k.data(), cached(s, false, page, g, offset), s.head_dim);
    format_info(plan_.cache.v).encode(v.data(), cached(s, true, page, g, offset), s.head_dim);
  }
}

// What the head makes of the positions that the token sees: softmax(cap(scale * q.k)) v. The
// division by the sum is left to MergePartials.
void ReferenceExecutable::attend_head(const Attend& s, int64_t token, int64_t head, float sink) {
  const int64_t position = positions_[static_cast<size_t>(token)];
  const int64_t first = s.window > 0 ? std::max<int64_t>(0, position - s.window + 1) : 0;
  const int slot = slots_[static_cast<size_t>(token)];
  const int64_t kv_head = head / (s.n_heads / s.n_kv_heads);
  const std::vector<float> q =
      turned(s.rope, s.q_norm, position, row(s.qkv, token) + head * s.q_stride(), s.head_dim);
  std::vector<float> cached_row(static_cast<size_t>(s.head_dim));
  const auto read = [&](bool is_v, int64_t p) {
    const uint8_t* from =
        cached(s, is_v, sequences_.page(slot, p, pool_of(s)), kv_head, p % kPagePositions);
    format_info(is_v ? plan_.cache.v : plan_.cache.k).decode(from, cached_row.data(), s.head_dim);
  };
  std::vector<double> weights;
  for (int64_t p = first; p <= position; ++p) {
    read(false, p);
    const double score =
        static_cast<double>(s.scale) * dot(q.data(), cached_row.data(), s.head_dim);
    weights.push_back(s.logit_cap > 0 ? capped(score, s.logit_cap) : score);
  }
  const double largest =
      std::max(*std::max_element(weights.begin(), weights.end()), static_cast<double>(sink));
  double* out = weighted_.data() + (token * s.n_heads + head) * s.head_dim;
  double sum = std::exp(static_cast<double>(sink) - largest);
  for (int64_t p = first; p <= position; ++p) {
    const double weight = std::exp(weights[static_cast<size_t>(p - first)] - largest);
    sum += weight;
    read(true, p);
    for (int64_t i = 0; i < s.head_dim; ++i)
      out[i] += weight * static_cast<double>(cached_row[static_cast<size_t>(i)]);
  }
  sums_[static_cast<size_t>(token * s.n_heads + head)] = sum;
}

void ReferenceExecutable::step(const Attend& s) {
  weighted_.assign(static_cast<size_t>(n_tokens() * s.n_heads * s.head_dim), 0);
  sums_.assign(static_cast<size_t>(n_tokens() * s.n_heads), 0);
  for (int64_t t = 0; t < n_tokens() && s.appends; ++t) append_to_cache(s, t);
  const std::vector<float> sinks = decode(s.sinks);
  for (int64_t t = 0; t < n_tokens() && !stopped(); ++t)
    for (int64_t h = 0; h < s.n_heads; ++h)
      attend_head(
          s, t, h,
          sinks.empty() ? -std::numeric_limits<float>::infinity() : sinks[static_cast<size_t>(h)]);
}

void ReferenceExecutable::step(const MergePartials& s) {
  for (int64_t t = 0; t < n_tokens(); ++t)
    for (int64_t h = 0; h < s.n_heads; ++h) {
      const double sum = sums_[static_cast<size_t>(t * s.n_heads + h)];
      const double* weighted = weighted_.data() + (t * s.n_heads + h) * s.head_dim;
      const float* gate = s.gate < 0 ? nullptr : row(s.gate, t) + (2 * h + 1) * s.head_dim;
      float* to = row(s.to, t) + h * s.head_dim;
      for (int64_t i = 0; i < s.head_dim; ++i) {
        to[i] = static_cast<float>(weighted[i] / sum);
        if (gate) to[i] *= sigmoid(gate[i]);
      }
    }
}

}  // namespace plumb::reference
