#pragma once
// Rotation, the append to the cache, and attention over it.
//
// Positions are attended to in chunks of kChunkPositions, each with a softmax of its own; chunks
// are merged in order (Milakov & Gimelshein 2018; Dao et al. 2022). With few tokens the chunks are
// spread over the threads and MergeStep merges them; with many, one thread takes a tile of tokens
// of one KV head through all its chunks. Both do the same arithmetic in the same order, so the
// results are the same bits.
//
// What a family asks for beyond that costs a choice per step, chunk or row, never per position:
// norms of heads before they turn, a window (the chunks before it are left out), a cap on scores,
// sinks and gates (FinishHead).

#include <cstdint>
#include <vector>

#include "backend/cpu/run_state.h"
#include "backend/cpu/weights.h"

namespace plumb::cpu {

// The end of a head's attention, all its chunks merged: the sink joins the sum, the values are
// divided by it and multiplied by the gate.
struct FinishHead {
  FinishHead(const Attend& attend, const Plan& plan, const RunState& state, const Weights& weights,
             float* to);

  // values [head_dim rounded up to 16] of a head of a token, with their softmax's max and sum
  void run(const Worker& w, int64_t token, int64_t head, float max, float sum, float* values) const;

  int64_t n_heads, head_dim, padded_dim;
  const float* gates;  // of the first head of the first token, or null
  int64_t gate_columns;
  const float* sinks;  // [n_heads] or null
  float* to;           // [token, n_heads * head_dim]
};

// Of a token at a position: the first position that it sees, and the chunk which that is in.
inline int64_t first_seen(int64_t position, int64_t window) {
  return window > 0 && position >= window ? position - window + 1 : 0;
}
inline int64_t first_chunk(int64_t position, int64_t window) {
  return first_seen(position, window) / kChunkPositions;
}

struct AttendStep {
  AttendStep(const Attend& attend, const Plan& plan, const RunState& state, const Weights& weights,
             float* merged);

  void run(const Worker& w) const;

 private:
  // Some tokens of one sequence and all query heads of one KV head; row = token * group + head.
  struct Tile {
    const int32_t* tokens;
    int64_t n_tokens;
    int32_t slot;
    int64_t kv_head;
  };
  struct ChunkResult {
    float* max;
    float* sum;
    float* values;
  };
  using Rows = Range;

  Range chunks_of(const Worker& w, const Tile& tile) const;
  void run_split(const Worker& w) const;
  void attend_split(const Worker& w, const Tile& tile, Range chunks) const;
  void run_tiled(const Worker& w) const;
  void append(const Worker& w, int32_t token, int64_t kv_head) const;
  void rotate_queries(const Worker& w, const Tile& tile) const;
  int64_t position_of(const Worker& w, const Tile& tile, int64_t token) const {
    return w.run.batch.positions[static_cast<size_t>(tile.tokens[token])];
  }
  Rows look_at(const Worker& w, const Tile& tile, int64_t chunk) const;
  void soften(const Worker& w, Rows rows, const ChunkResult& to) const;
  Rows attend_chunk(const Worker& w, const Tile& tile, int64_t chunk, const ChunkResult& to) const;
  void leave_partials(const Worker& w, const Tile& tile, int64_t chunk, Rows rows) const;
  void join_chunk(const Worker& w, const Tile& tile, int64_t chunk, Rows rows) const;
  void attend_tile(const Worker& w, const Tile& tile) const;

  const float* qkv_;
  int64_t qkv_columns_, q_stride_, k_column_, v_column_;
  int64_t n_heads_, n_kv_heads_, group_, head_dim_, padded_dim_;
  float scale_;
  const RotationTable* rotation_;
  const float *q_norm_, *k_norm_;  // [head_dim] or null
  std::vector<float> ones_;  // [head_dim] the weight of v's norm, which has none; empty: no norm
  float norm_eps_;
  bool appends_;
  int64_t window_;  // 0: all
  float logit_cap_;
  int layer_, pool_;
  KernelSet::CacheKernels k_, v_, f32_;
  int64_t tile_tokens_;
  FinishHead finish_;
};

struct MergeStep {
  void run(const Worker& w) const;

  FinishHead finish;
  int64_t window;
};

}  // namespace plumb::cpu
