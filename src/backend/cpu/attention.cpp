#include "backend/cpu/attention.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "plan/cache_pools.h"

namespace plumb::cpu {
namespace {

const KernelSet::CacheKernels& cache_kernels(const KernelSet& kernels, Format format) {
  for (const auto& k : kernels.cache)
    if (k.format == format) return k;
  CHECK(false, "a plan has a cache of f32, f16 or bf16");
  return kernels.cache[0];
}

// From this many rows on, a page is widened to f32 once instead of for every few rows.
constexpr int64_t kWidenRows = 8;

bool is_split(const BatchState& batch) {
  return batch.size() <= kSplitTokens;
}

}  // namespace

FinishHead::FinishHead(const Attend& a, const Plan& plan, const RunState& state,
                       const Weights& weights, float* output)
    : n_heads(a.n_heads),
      head_dim(a.head_dim),
      padded_dim((a.head_dim + 15) / 16 * 16),
      gates(a.gated ? state.workspace.buffers[static_cast<size_t>(a.qkv)] + a.head_dim : nullptr),
      gate_columns(plan.buffers[static_cast<size_t>(a.qkv)].columns),
      sinks(weights.vector(a.sinks)),
      to(output) {}

void FinishHead::run(const Worker& w, int64_t token, int64_t head, float max, float sum,
                     float* values) const {
  const KernelSet& kernels = w.run.kernels;
  if (sinks) {  // a chunk of one position, whose value is zero
    float* zeros = w.space().attention.head;
    std::fill_n(zeros, padded_dim, 0.0f);
    kernels.merge(&max, &sum, values, sinks[head], 1, zeros, padded_dim);
  }
  float* out = to + (token * n_heads + head) * head_dim;
  kernels.divide(values, sum, head_dim, out);
  if (gates) kernels.gate(out, gates + token * gate_columns + 2 * head * head_dim, head_dim);
}

AttendStep::AttendStep(const Attend& a, const Plan& plan, const RunState& state,
                       const Weights& weights, float* merged)
    : qkv_(state.workspace.buffers[static_cast<size_t>(a.qkv)]),
      qkv_columns_(plan.buffers[static_cast<size_t>(a.qkv)].columns),
      q_stride_(a.q_stride()),
      k_column_(a.k_column()),
      v_column_(a.v_column()),
      n_heads_(a.n_heads),
      n_kv_heads_(a.n_kv_heads),
      group_(a.n_heads / a.n_kv_heads),
      head_dim_(a.head_dim),
      padded_dim_((a.head_dim + 15) / 16 * 16),
      scale_(a.scale),
      rotation_(&state.batch.rotations[state.batch.rotation_index(a.rope)]),
      q_norm_(weights.vector(a.q_norm.weight)),
      k_norm_(weights.vector(a.k_norm.weight)),
      ones_(a.v_norm ? static_cast<size_t>(a.head_dim) : 0, 1.0f),
      norm_eps_(a.k_norm.eps),
      appends_(a.appends),
      window_(a.window),
      logit_cap_(a.logit_cap),
      layer_(a.cache_layer),
      pool_(pool_of(cache_pools(plan), plan.cache.layers[static_cast<size_t>(a.cache_layer)])),
      k_(cache_kernels(state.kernels, plan.cache.k)),
      v_(cache_kernels(state.kernels, plan.cache.v)),
      f32_(cache_kernels(state.kernels, Format::f32)),
      tile_tokens_(std::max<int64_t>(1, kTileRows / group_)),
      finish_(a, plan, state, weights, merged) {}

void AttendStep::run(const Worker& w) const {
  if (is_split(w.run.batch))
    run_split(w);
  else
    run_tiled(w);
}

// A unit of work is a chunk of one KV head for the tokens of one sequence. Whoever attends to a
// chunk appends the positions in it first; nobody else reads them.
void AttendStep::run_split(const Worker& w) const {
  const BatchState& batch = w.run.batch;
  const auto tile_of = [&](const BatchState::Group& group, int64_t head) {
    return Tile{batch.order.data() + group.first, group.n, group.slot, head};
  };
  int64_t n_units = 0;
  for (const BatchState::Group& group : batch.groups)
    n_units += n_kv_heads_ * size(chunks_of(w, tile_of(group, 0)));
  w.hand_out(n_units, 1, [&](Range units) {
    int64_t first = 0;  // unit of the tile
    for (const BatchState::Group& group : batch.groups)
      for (int64_t head = 0; head < n_kv_heads_; ++head) {
        const Tile tile = tile_of(group, head);
        const Range chunks = chunks_of(w, tile);
        attend_split(w, tile,
                     {chunks.begin + std::max(units.begin - first, int64_t{0}),
                      std::min(chunks.begin + units.end - first, chunks.end)});
        first += size(chunks);
      }
  });
}

// The chunks that a tile sees.
Range AttendStep::chunks_of(const Worker& w, const Tile& tile) const {
  return {first_chunk(position_of(w, tile, 0), window_),
          position_of(w, tile, tile.n_tokens - 1) / kChunkPositions + 1};
}

void AttendStep::attend_split(const Worker& w, const Tile& tile, Range chunks) const {
  if (chunks.begin >= chunks.end) return;
  const AttentionScratch& s = w.space().attention;
  rotate_queries(w, tile);
  for (int64_t chunk = chunks.begin; chunk < chunks.end; ++chunk) {
    for (int64_t t = 0; t < tile.n_tokens && appends_; ++t)
      if (position_of(w, tile, t) / kChunkPositions == chunk)
        append(w, tile.tokens[t], tile.kv_head);
    const Rows rows = attend_chunk(w, tile, chunk, {s.chunk_max, s.chunk_sum, s.chunk_values});
    leave_partials(w, tile, chunk, rows);
  }
}

void AttendStep::leave_partials(const Worker& w, const Tile& tile, int64_t chunk, Rows rows) const {
  const AttentionScratch& s = w.space().attention;
  const Partials& p = w.run.workspace.partials;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const int64_t head = tile.kv_head * group_ + row % group_;
    const int64_t cell = (tile.tokens[row / group_] * n_heads_ + head) * p.chunks + chunk;
    p.max[cell] = s.chunk_max[row];
    p.sum[cell] = s.chunk_sum[row];
    std::memcpy(p.values + cell * padded_dim_, s.chunk_values + row * padded_dim_,
                static_cast<size_t>(padded_dim_) * sizeof(float));
  }
}

void AttendStep::run_tiled(const Worker& w) const {
  const BatchState& batch = w.run.batch;
  const auto own = w.share(batch.size());
  for (int64_t t = own.begin; t < own.end && appends_; ++t)
    for (int64_t head = 0; head < n_kv_heads_; ++head) append(w, static_cast<int32_t>(t), head);
  if (appends_) w.barrier();
  int64_t unit = 0;
  for (const BatchState::Group& group : batch.groups)
    for (int64_t t = 0; t < group.n; t += tile_tokens_)
      for (int64_t head = 0; head < n_kv_heads_; ++head)
        if (unit++ % w.n_threads == w.thread)
          attend_tile(w, {batch.order.data() + group.first + t, std::min(tile_tokens_, group.n - t),
                          group.slot, head});
}

void AttendStep::append(const Worker& w, int32_t token, int64_t kv_head) const {
  const BatchState& batch = w.run.batch;
  const KernelSet& kernels = w.run.kernels;
  const AttentionScratch& s = w.space().attention;
  const auto at = static_cast<size_t>(token);
  const int64_t offset = batch.positions[at] % kPagePositions;
  const int32_t page = w.run.sequences.page(batch.slots[at], batch.positions[at], pool_);
  const float* heads = qkv_ + token * qkv_columns_ + kv_head * head_dim_;
  const auto normed = [&](const float* head, const float* weight) -> const float* {
    if (!weight) return head;
    kernels.norm(head, weight, norm_eps_, head_dim_, s.head);
    return s.head;
  };
  kernels.rotate(rotation_->of(token, head_dim_), normed(heads + k_column_, k_norm_), 1.0f, s.key);
  k_.store_k(s.key, head_dim_, w.run.cache.k(layer_, page, kv_head), offset);
  const float* v = normed(heads + v_column_, ones_.empty() ? nullptr : ones_.data());
  v_.store_v(v, head_dim_, w.run.cache.v(layer_, page, kv_head), offset);
}

void AttendStep::rotate_queries(const Worker& w, const Tile& tile) const {
  const KernelSet& kernels = w.run.kernels;
  const AttentionScratch& s = w.space().attention;
  float* q = s.q;
  for (int64_t t = 0; t < tile.n_tokens; ++t) {
    const Rotation rotation = rotation_->of(tile.tokens[t], head_dim_);
    const float* from = qkv_ + tile.tokens[t] * qkv_columns_ + tile.kv_head * group_ * q_stride_;
    for (int64_t g = 0; g < group_; ++g, from += q_stride_, q += head_dim_) {
      if (q_norm_) kernels.norm(from, q_norm_, norm_eps_, head_dim_, s.head);
      kernels.rotate(rotation, q_norm_ ? s.head : from, scale_, q);
    }
  }
}

// Which positions of the chunk each row sees, and the rows that see any: later tokens see more of
// it, until it begins to leave their window.
AttendStep::Rows AttendStep::look_at(const Worker& w, const Tile& tile, int64_t chunk) const {
  const AttentionScratch& s = w.space().attention;
  const int64_t start = chunk * kChunkPositions, n_rows = tile.n_tokens * group_;
  const auto within = [&](int64_t position) {
    return static_cast<int32_t>(std::clamp<int64_t>(position - start, 0, kChunkPositions));
  };
  for (int64_t t = 0; t < tile.n_tokens; ++t) {
    const int64_t position = position_of(w, tile, t);
    std::fill_n(s.seen + t * group_, group_, within(position + 1));
    std::fill_n(s.hidden + t * group_, group_, within(first_seen(position, window_)));
  }
  return {std::find_if(s.seen, s.seen + n_rows, [](int32_t n) { return n > 0; }) - s.seen,
          std::find(s.hidden, s.hidden + n_rows, kChunkPositions) - s.hidden};
}

// Scores to weights.
void AttendStep::soften(const Worker& w, Rows rows, const ChunkResult& to) const {
  const AttentionScratch& s = w.space().attention;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    float* scores = s.scores + row * kChunkPositions;
    const int32_t hidden = s.hidden[row];
    if (logit_cap_ > 0) w.run.kernels.cap(scores + hidden, logit_cap_, s.seen[row] - hidden);
    std::fill_n(scores, hidden, -std::numeric_limits<float>::infinity());
    w.run.kernels.softmax(scores, s.seen[row], to.max + row, to.sum + row);
    std::fill_n(scores, hidden, 0.0f);
  }
}

// Returns the rows that see the chunk at all; others are left alone.
AttendStep::Rows AttendStep::attend_chunk(const Worker& w, const Tile& tile, int64_t chunk,
                                          const ChunkResult& to) const {
  const AttentionScratch& s = w.space().attention;
  const Rows rows = look_at(w, tile, chunk);
  const int64_t first = rows.begin, n = rows.end - first;
  const int64_t first_page = s.hidden[first] / kPagePositions,
                end_page = (s.seen[rows.end - 1] + kPagePositions - 1) / kPagePositions;
  const std::span<const int32_t> pages =
      w.run.sequences.pages(tile.slot, pool_)
          .subspan(static_cast<size_t>(chunk * kChunkPositions / kPagePositions));
  const auto k = [&](int64_t p) -> const void* {
    return w.run.cache.k(layer_, pages[static_cast<size_t>(p)], tile.kv_head);
  };
  const auto v = [&](int64_t p) -> const void* {
    return w.run.cache.v(layer_, pages[static_cast<size_t>(p)], tile.kv_head);
  };
  // Few rows fetch the page behind theirs; for many its reading is a small part of the work. What
  // is read after the chunk's last V: the next chunk, mostly.
  const void* after = k(std::min(kChunkPositions / kPagePositions, std::ssize(pages) - 1));
  const bool wide = n >= kWidenRows;
  for (int64_t p = first_page; p < end_page; ++p) {
    if (wide) k_.widen(k(p), kPagePositions * head_dim_, s.page_k);
    (wide ? f32_ : k_)
        .scores({s.q + first * head_dim_, n, head_dim_, wide ? s.page_k : k(p),
                 wide               ? nullptr
                 : p + 1 < end_page ? k(p + 1)
                                    : v(first_page),
                 s.scores + first * kChunkPositions + p * kPagePositions});
  }
  soften(w, rows, to);
  std::fill(to.values + first * padded_dim_, to.values + rows.end * padded_dim_, 0.0f);
  for (int64_t p = first_page; p < end_page; ++p) {
    for (int64_t row = first; row < rows.end; ++row)
      s.limits[row] = static_cast<int32_t>(
          std::clamp<int64_t>(s.seen[row] - p * kPagePositions, 0, kPagePositions));
    if (wide) v_.widen(v(p), kPagePositions * padded_dim_, s.page_v);
    (wide ? f32_ : v_)
        .values({s.scores + first * kChunkPositions + p * kPagePositions, n, s.limits + first,
                 padded_dim_, wide ? s.page_v : v(p),
                 wide               ? nullptr
                 : p + 1 < end_page ? v(p + 1)
                                    : after,
                 to.values + first * padded_dim_});
  }
  return rows;
}

// The running result of each row takes in that of the chunk, which for some is their first.
void AttendStep::join_chunk(const Worker& w, const Tile& tile, int64_t chunk, Rows rows) const {
  const AttentionScratch& s = w.space().attention;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const float* values = s.chunk_values + row * padded_dim_;
    if (window_ > 0 && first_chunk(position_of(w, tile, row / group_), window_) == chunk) {
      s.max[row] = s.chunk_max[row];
      s.sum[row] = s.chunk_sum[row];
      std::copy_n(values, padded_dim_, s.values + row * padded_dim_);
    } else {
      w.run.kernels.merge(s.max + row, s.sum + row, s.values + row * padded_dim_, s.chunk_max[row],
                          s.chunk_sum[row], values, padded_dim_);
    }
  }
}

void AttendStep::attend_tile(const Worker& w, const Tile& tile) const {
  const AttentionScratch& s = w.space().attention;
  const Range chunks = chunks_of(w, tile);
  rotate_queries(w, tile);
  attend_chunk(w, tile, chunks.begin, {s.max, s.sum, s.values});
  for (int64_t chunk = chunks.begin + 1; chunk < chunks.end; ++chunk)
    join_chunk(w, tile, chunk,
               attend_chunk(w, tile, chunk, {s.chunk_max, s.chunk_sum, s.chunk_values}));
  for (int64_t row = 0; row < tile.n_tokens * group_; ++row)
    finish_.run(w, tile.tokens[row / group_], tile.kv_head * group_ + row % group_, s.max[row],
                s.sum[row], s.values + row * padded_dim_);
}

void MergeStep::run(const Worker& w) const {
  const BatchState& batch = w.run.batch;
  if (!is_split(batch)) return;  // AttendStep has merged
  const KernelSet& kernels = w.run.kernels;
  const AttentionScratch& s = w.space().attention;
  const Partials& p = w.run.workspace.partials;
  const int64_t padded = finish.padded_dim;
  const auto own = w.share(batch.size() * finish.n_heads);
  for (int64_t row = own.begin; row < own.end; ++row) {
    const int64_t token = row / finish.n_heads, head = row % finish.n_heads;
    const int64_t position = batch.positions[static_cast<size_t>(token)];
    const int64_t cell = row * p.chunks + first_chunk(position, window),
                  last = row * p.chunks + position / kChunkPositions;
    float max = p.max[cell], sum = p.sum[cell];
    std::copy_n(p.values + cell * padded, padded, s.values);
    for (int64_t c = cell + 1; c <= last; ++c)
      kernels.merge(&max, &sum, s.values, p.max[c], p.sum[c], p.values + c * padded, padded);
    finish.run(w, token, head, max, sum, s.values);
  }
}

}  // namespace plumb::cpu
