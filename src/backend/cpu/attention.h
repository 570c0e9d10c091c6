#pragma once
// Rotation, the append to the cache, and attention over it.
//
// Positions are attended to in chunks of kChunkPositions, each with a softmax of its own; chunks
// are merged in order (Milakov & Gimelshein 2018; Dao et al. 2022). With few tokens the chunks are
// spread over the threads and MergeStep merges them; with many, one thread takes a tile of tokens
// of one KV head through all its chunks. Both do the same arithmetic in the same order, so the
// results are the same bits.

#include <cstdint>

#include "backend/cpu/run_state.h"

namespace plumb::cpu {

struct AttendStep {
  AttendStep(const Attend& attend, const Plan& plan, const RunState& state, float* merged);

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

  void run_split(const Worker& w) const;
  void run_tiled(const Worker& w) const;
  void append(const Worker& w, int32_t token, int64_t kv_head) const;
  void rotate_queries(const Worker& w, const Tile& tile) const;
  int64_t attend_chunk(const Worker& w, const Tile& tile, int64_t chunk,
                       const ChunkResult& to) const;
  void leave_partials(const Worker& w, const Tile& tile, int64_t chunk, int64_t first_row) const;
  void attend_tile(const Worker& w, const Tile& tile) const;

  const float* qkv_;
  int64_t qkv_columns_;
  int64_t n_heads_, n_kv_heads_, group_, head_dim_, padded_dim_;
  float scale_;
  const RotationTable* rotation_;
  int layer_;
  KernelSet::CacheKernels k_, v_, f32_;
  int64_t tile_tokens_;
  float* merged_;  // [token, n_heads * head_dim]
};

struct MergeStep {
  void run(const Worker& w) const;

  int64_t n_heads, head_dim;
  float* to;  // [token, n_heads * head_dim]
};

}  // namespace plumb::cpu
