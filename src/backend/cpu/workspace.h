#pragma once
// Everything the steps write to besides the cache: the plan's buffers, activations, and each
// thread's work space, sized for the largest batch and cut from one piece of memory.

#include <cstdint>
#include <vector>

#include "backend/cpu/carver.h"
#include "backend/cpu/kernels.h"
#include "plan/plan.h"

namespace plumb::cpu {

// Up to this many values (tokens x columns), every thread prepares all activations of a step for
// itself: repeating the work is cheaper than meeting at a barrier.
inline constexpr int64_t kOwnValues = 8192;

// Up to this many tokens, attention spreads the chunks of each head over threads and leaves
// partial results to merge; with more tokens there is enough to do without.
inline constexpr int64_t kSplitTokens = 4;

// Up to this many tokens every thread chooses experts for all of them: cheaper than a barrier.
inline constexpr int64_t kOwnChoices = 4;

// Rows of queries (tokens x heads of one KV head) that attention works on at once.
inline constexpr int64_t kTileRows = 48;

// The largest sizes that the steps of a plan come to.
struct Extents {
  int64_t max_batch = 0, max_logits = 0;
  int64_t columns = 0;          // of a matrix, rounded up to an even number
  bool bf16 = false;            // some matrix is
  int64_t generic_columns = 0;  // of a matrix without panels
  int64_t heads = 0;            // of an attention
  int64_t head_dim = 0;         // rounded up to whole registers
  int64_t rows = 0;             // queries of a tile
  int64_t chunks = 0;           // of a sequence
  int64_t expert_rows = 0;      // experts of a token
  int64_t expert_values = 0;    // of a token's experts: rows of the down projections
  int64_t experts = 0;
  int64_t shared_columns = 0;  // of a shared expert's down projection
  int64_t delta_dim = 0;       // of a head

  explicit Extents(const Plan& plan);
};

struct AttentionScratch {
  float* q;          // [rows, head_dim] rotated and scaled
  float* key;        // [head_dim] rotated
  float* head;       // [head_dim] normed
  float* scores;     // [rows, kChunkPositions]
  float* max;        // [rows] of the running result
  float* sum;        // [rows]
  float* values;     // [rows, head_dim]
  float* chunk_max;  // the same of one chunk
  float* chunk_sum;
  float* chunk_values;
  int32_t* seen;    // [rows] where in the chunk the positions end that the row sees
  int32_t* hidden;  // [rows] and where they begin
  int32_t* limits;  // [rows] of a page
  float* page_k;    // [kPagePositions, head_dim] widened to f32
  float* page_v;
};

// What attention leaves for MergePartials, rows being token * n_heads + head.
struct Partials {
  float* max;     // [rows, chunks]
  float* sum;     // [rows, chunks]
  float* values;  // [rows, chunks, head_dim]
  int64_t chunks;
};

struct Best {
  float value;
  int32_t id;
};

// Of one key head of a gated delta net and the tokens of a chunk, see delta_rule.h.
struct DeltaScratch {
  float* rows;      // [kDeltaChunk][q, k][head_dim]
  float* products;  // [kDeltaChunk][q, k][kDeltaChunk]
  float *v, *out;   // [kDeltaChunk, head_dim]
  float* betas;     // [kDeltaChunk]
};

// Which experts the tokens of a batch use, see Grouping.
struct ExpertScratch {
  struct Group {
    int32_t expert;
    int64_t first, n;
  };
  float* choices;          // of a few tokens
  float* weights;          // [max_batch * n_used]
  int32_t *rows, *tokens;  // the same
  int32_t* starts;         // [n_experts + 1]
  Group* groups;           // [n_experts]
  float* shared_weights;   // [max_batch]
};

struct WorkerSpace {
  Activations own, own_second;  // kOwnValues
  Activations gathered;         // [max_batch, columns], where there are experts
  DeltaScratch delta;
  ExpertScratch experts;
  Scratch matrix;
  AttentionScratch attention;
  Best* best;  // [max_logits] of this thread's part of the vocabulary
};

struct Workspace {
  std::vector<float*> buffers;  // [buffer][max rows, columns]
  Activations shared;           // [max_batch, columns], or as many values
  Activations shared_second;    // where there are shared experts
  Partials partials;
  std::vector<WorkerSpace> workers;
};

// packed_bytes: Weights::packed_bytes(). With a counting carver this only counts.
Workspace carve_workspace(const Plan& plan, int64_t packed_bytes, int n_threads, Carver& carver);

}  // namespace plumb::cpu
