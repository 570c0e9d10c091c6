#include "backend/cpu/attention.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

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

AttendStep::AttendStep(const Attend& a, const Plan& plan, const RunState& state, float* merged)
    : qkv_(state.workspace.buffers[static_cast<size_t>(a.qkv)]),
      qkv_columns_(plan.buffers[static_cast<size_t>(a.qkv)].columns),
      n_heads_(a.n_heads),
      n_kv_heads_(a.n_kv_heads),
      group_(a.n_heads / a.n_kv_heads),
      head_dim_(a.head_dim),
      padded_dim_((a.head_dim + 15) / 16 * 16),
      scale_(a.scale),
      rotation_(&state.batch.rotations[state.batch.rotation_index(a.rope)]),
      layer_(a.cache_layer),
      k_(cache_kernels(state.kernels, plan.cache.k)),
      v_(cache_kernels(state.kernels, plan.cache.v)),
      f32_(cache_kernels(state.kernels, Format::f32)),
      tile_tokens_(std::max<int64_t>(1, kTileRows / group_)),
      merged_(merged) {}

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
  int64_t unit = 0;
  for (const BatchState::Group& group : batch.groups) {
    const int32_t* tokens = batch.order.data() + group.first;
    const int32_t last = batch.positions[static_cast<size_t>(tokens[group.n - 1])];
    for (int64_t head = 0; head < n_kv_heads_; ++head) {
      const Tile tile{tokens, group.n, group.slot, head};
      bool rotated = false;
      for (int64_t chunk = 0; chunk <= last / kChunkPositions; ++chunk) {
        if (unit++ % w.n_threads != w.thread) continue;
        for (int64_t t = 0; t < group.n; ++t)
          if (batch.positions[static_cast<size_t>(tokens[t])] / kChunkPositions == chunk)
            append(w, tokens[t], head);
        if (!rotated) rotate_queries(w, tile);
        rotated = true;
        const AttentionScratch& s = w.space().attention;
        const int64_t first =
            attend_chunk(w, tile, chunk, {s.chunk_max, s.chunk_sum, s.chunk_values});
        leave_partials(w, tile, chunk, first);
      }
    }
  }
}

void AttendStep::leave_partials(const Worker& w, const Tile& tile, int64_t chunk,
                                int64_t first_row) const {
  const AttentionScratch& s = w.space().attention;
  const Partials& p = w.run.workspace.partials;
  for (int64_t row = first_row; row < tile.n_tokens * group_; ++row) {
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
  for (int64_t t = own.begin; t < own.end; ++t)
    for (int64_t head = 0; head < n_kv_heads_; ++head) append(w, static_cast<int32_t>(t), head);
  w.barrier();
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
  const auto at = static_cast<size_t>(token);
  const int64_t position = batch.positions[at];
  const int32_t page = w.run.sequences.page(batch.slots[at], position);
  const float* k = qkv_ + token * qkv_columns_ + (n_heads_ + kv_head) * head_dim_;
  const float* v = k + n_kv_heads_ * head_dim_;
  float* rotated = w.space().attention.key;
  w.run.kernels.rotate(rotation_->of(token, head_dim_), k, 1.0f, rotated);
  k_.store_k(rotated, head_dim_, w.run.cache.k(layer_, page, kv_head), position % kPagePositions);
  v_.store_v(v, head_dim_, w.run.cache.v(layer_, page, kv_head), position % kPagePositions);
}

void AttendStep::rotate_queries(const Worker& w, const Tile& tile) const {
  float* q = w.space().attention.q;
  for (int64_t t = 0; t < tile.n_tokens; ++t) {
    const Rotation rotation = rotation_->of(tile.tokens[t], head_dim_);
    const float* from = qkv_ + tile.tokens[t] * qkv_columns_ + tile.kv_head * group_ * head_dim_;
    for (int64_t g = 0; g < group_; ++g)
      w.run.kernels.rotate(rotation, from + g * head_dim_, scale_,
                           q + (t * group_ + g) * head_dim_);
  }
}

// Returns the first row that sees the chunk at all; rows before it are left alone.
int64_t AttendStep::attend_chunk(const Worker& w, const Tile& tile, int64_t chunk,
                                 const ChunkResult& to) const {
  const AttentionScratch& s = w.space().attention;
  const BatchState& batch = w.run.batch;
  const int64_t start = chunk * kChunkPositions, n_rows = tile.n_tokens * group_;
  for (int64_t t = 0; t < tile.n_tokens; ++t) {
    const int64_t position = batch.positions[static_cast<size_t>(tile.tokens[t])];
    const int64_t seen = std::clamp<int64_t>(position + 1 - start, 0, kChunkPositions);
    std::fill_n(s.seen + t * group_, group_, static_cast<int32_t>(seen));
  }
  const int64_t first =
      std::find_if(s.seen, s.seen + n_rows, [](int32_t n) { return n > 0; }) - s.seen;
  const int64_t n = n_rows - first,
                n_pages = (s.seen[n_rows - 1] + kPagePositions - 1) / kPagePositions;
  const std::span<const int32_t> pages =
      w.run.sequences.pages(tile.slot).subspan(static_cast<size_t>(start / kPagePositions));
  const bool wide = n >= kWidenRows;
  for (int64_t p = 0; p < n_pages; ++p) {
    const void* k = w.run.cache.k(layer_, pages[static_cast<size_t>(p)], tile.kv_head);
    if (wide) k_.widen(k, kPagePositions * head_dim_, s.page_k);
    (wide ? f32_ : k_)
        .scores({s.q + first * head_dim_, n, head_dim_, wide ? s.page_k : k,
                 s.scores + first * kChunkPositions + p * kPagePositions});
  }
  for (int64_t row = first; row < n_rows; ++row)
    w.run.kernels.softmax(s.scores + row * kChunkPositions, s.seen[row], to.max + row,
                          to.sum + row);
  std::fill(to.values + first * padded_dim_, to.values + n_rows * padded_dim_, 0.0f);
  for (int64_t p = 0; p < n_pages; ++p) {
    for (int64_t row = first; row < n_rows; ++row)
      s.limits[row] = static_cast<int32_t>(
          std::clamp<int64_t>(s.seen[row] - p * kPagePositions, 0, kPagePositions));
    const void* v = w.run.cache.v(layer_, pages[static_cast<size_t>(p)], tile.kv_head);
    if (wide) v_.widen(v, kPagePositions * padded_dim_, s.page_v);
    (wide ? f32_ : v_)
        .values({s.scores + first * kChunkPositions + p * kPagePositions, n, s.limits + first,
                 padded_dim_, wide ? s.page_v : v, to.values + first * padded_dim_});
  }
  return first;
}

void AttendStep::attend_tile(const Worker& w, const Tile& tile) const {
  const AttentionScratch& s = w.space().attention;
  const KernelSet& kernels = w.run.kernels;
  const int64_t n_rows = tile.n_tokens * group_;
  const int32_t last = w.run.batch.positions[static_cast<size_t>(tile.tokens[tile.n_tokens - 1])];
  rotate_queries(w, tile);
  attend_chunk(w, tile, 0, {s.max, s.sum, s.values});
  for (int64_t chunk = 1; chunk <= last / kChunkPositions; ++chunk) {
    const int64_t first = attend_chunk(w, tile, chunk, {s.chunk_max, s.chunk_sum, s.chunk_values});
    for (int64_t row = first; row < n_rows; ++row)
      kernels.merge(s.max + row, s.sum + row, s.values + row * padded_dim_, s.chunk_max[row],
                    s.chunk_sum[row], s.chunk_values + row * padded_dim_, padded_dim_);
  }
  const float* values = s.values;
  const float* sum = s.sum;
  for (int64_t t = 0; t < tile.n_tokens; ++t) {
    float* to = merged_ + (tile.tokens[t] * n_heads_ + tile.kv_head * group_) * head_dim_;
    for (int64_t g = 0; g < group_; ++g, values += padded_dim_, to += head_dim_)
      kernels.divide(values, *sum++, head_dim_, to);
  }
}

void MergeStep::run(const Worker& w) const {
  const BatchState& batch = w.run.batch;
  if (!is_split(batch)) return;  // AttendStep has merged
  const KernelSet& kernels = w.run.kernels;
  const AttentionScratch& s = w.space().attention;
  const Partials& p = w.run.workspace.partials;
  const int64_t padded = (head_dim + 15) / 16 * 16;
  const auto own = w.share(batch.size() * n_heads);
  for (int64_t row = own.begin; row < own.end; ++row) {
    const int64_t position = batch.positions[static_cast<size_t>(row / n_heads)];
    const int64_t cell = row * p.chunks;
    float max = p.max[cell], sum = p.sum[cell];
    std::copy_n(p.values + cell * padded, padded, s.values);
    for (int64_t c = cell + 1; c <= cell + position / kChunkPositions; ++c)
      kernels.merge(&max, &sum, s.values, p.max[c], p.sum[c], p.values + c * padded, padded);
    kernels.divide(s.values, sum, head_dim, to + row * head_dim);
  }
}

}  // namespace plumb::cpu
