#pragma once
// The arithmetic of the CPU backend as a table of functions, one table per instruction set. The
// functions are written once over a small model of a vector register (simd_*.h) and compiled once
// per set in kernels_*.cpp; nothing else in plumb is compiled for more than the base machine.
//
// Every function computes an output in one fixed order that depends on nothing but the output's own
// operands: results are the same bits whatever the number of tokens in a batch, the split over
// threads or the neighbours in a tile. Between instruction sets they may differ in rounding.

#include <cstdint>
#include <string_view>

#include "backend/cpu/matrix.h"
#include "formats/format.h"

namespace plumb::cpu {

// The cache. A page's share of one KV head: K as [head_dim][64 positions], so that a register
// holds 16 positions and scores need no horizontal sums; V as [64 positions][head_dim rounded up to
// 16]. Positions are attended to in chunks of kChunkPositions, each with its own softmax; chunks
// are merged in order.
inline constexpr int64_t kChunkPositions = 128;

// Some rows of queries (heads and tokens that share a KV head) against one page.
struct ScoreArgs {
  const float* q;  // [n_rows, head_dim], rotated and scaled
  int64_t n_rows, head_dim;
  const void* k;     // the page's K
  const void* next;  // what is wanted next is fetched meanwhile, as many bytes as these; or null
  float* scores;     // [n_rows, kChunkPositions], this page's 64 columns
};
struct ValueArgs {
  const float* weights;  // [n_rows, kChunkPositions], this page's columns
  int64_t n_rows;
  const int32_t* limits;  // [n_rows] positions of this page that the row sees, 0..64, not falling
  int64_t head_dim_padded;
  const void* v;     // the page's V
  const void* next;  // what is wanted next is fetched meanwhile, as many bytes as these; or null
  float* sums;       // [n_rows, head_dim_padded], added to
};

// How a pair of values of a head turns, see rotate below.
struct Rotation {
  const float* cosines;  // [n_dims] one per value, pairs repeated
  const float* sines;    // [n_dims] with the sign that the value's partner gets
  int64_t n_dims, head_dim;
  bool interleaved;
};

// A channel range of a short convolution for one token.
struct ConvolveArgs {
  const float* const* rows;       // [width] of n values, the oldest first
  const float* taps;              // [width, taps_stride]
  int64_t taps_stride, width, n;  // n: a multiple of 16
  float* out;                     // silu of the sum
};

// Tokens of a chunk of the gated delta rule; as many as a register has lanes.
inline constexpr int64_t kChunkTokens = 16;

// Gated delta rules (plan.h), for some tokens of one chunk of a sequence. A head's state stays as
// it was before the chunk until the chunk is complete (delta_rule.h says why); until then the chunk
// is kept beside it. head_dim is a multiple of 16; panels are of 16 lanes.
struct DeltaTokens {
  int64_t first, n;  // in the chunk: first + n <= kChunkTokens
  int64_t head_dim;
  const float* rows;  // [n][q, k][head_dim], normalised, q scaled
  float* keys;        // [kChunkTokens][head_dim] of the chunk
  float* products;    // [n][q, k][kChunkTokens] of the rows with the keys up to their own
};
struct DeltaArgs {
  DeltaTokens tokens;
  const float* v;      // [n, head_dim]
  const float* betas;  // [n]
  float* decays;       // [kChunkTokens] of the chunk, those of the n tokens included
  float* changes;      // [head_dim / 16][kChunkTokens][16] of the chunk, those of the n put here
  float* state;        // [head_dim / 16][head_dim of k][16 of v]
  const float* next;   // the state that will be worked on next, for prefetching
  float* out;          // [n, head_dim]
};

// Where kernels ask for weights to be put ahead of their use: chosen for this processor at start.
// It changes no result; tests set the other to see that.
enum class CacheLevel { none, first, second };
extern CacheLevel prefetch_into;

struct FormatKernel {
  Format format;
  Multiply multiply;
  std::string_view label;      // for describe()
  bool reads_rounded = false;  // activations in bfloat16
};

struct KernelSet {
  std::string_view name;

  FormatKernel formats[16];  // formats with panels
  Multiply generic;          // any format with a decoder, from the file's layout

  // out = weight * x / sqrt(mean(x^2) + eps); out may be x
  void (*norm)(const float* x, const float* weight, float eps, int64_t n, float* out);
  // values -> codes, scales and sums of row `row`
  void (*quantize)(const float* values, const Activations& to, int64_t row);
  // values -> rounded values of row `row`; null where no kernel reads those
  void (*round)(const float* values, const Activations& to, int64_t row) = nullptr;
  // out = scale * (x turned by its position); the values from n_dims on are only scaled
  void (*rotate)(const Rotation& rotation, const float* x, float scale, float* out);
  // values = limit tanh(values / limit)
  void (*cap)(float* values, float limit, int64_t n);
  // to *= 1 / (1 + e^-gate)
  void (*gate)(float* to, const float* gates, int64_t n);
  // to = silu(to) * x, gelu(to) * x
  void (*activate_silu)(float* to, const float* x, int64_t n);
  void (*activate_gelu)(float* to, const float* x, int64_t n);
  // to = scale * (to + x)
  void (*add)(float* to, const float* x, float scale, int64_t n);
  // out = silu(sum over m of taps[m] * rows[m])
  void (*convolve)(const ConvolveArgs& args);
  // x = x * scale / max(|x|, eps); n a multiple of 16
  void (*normalise)(float* x, float eps, float scale, int64_t n);
  // Puts the keys of the tokens into the chunk, and multiplies.
  void (*delta_keys)(const DeltaTokens& tokens);
  void (*delta_rule)(const DeltaArgs& args);
  // out = weight * x / sqrt(mean(x^2) + eps) * silu(gate); n a multiple of 16
  void (*gated_norm)(const float* x, const float* weight, float eps, const float* gate, int64_t n,
                     float* out);
  float (*dot)(const float* a, const float* b, int64_t n);
  // index of the largest of n values, the lowest index on ties, NaN never (0 when all are)
  int64_t (*largest)(const float* values, int64_t n);

  struct CacheKernels {
    Format format;
    void (*store_k)(const float* k, int64_t head_dim, void* page, int64_t position);
    void (*store_v)(const float* v, int64_t head_dim, void* page, int64_t position);
    void (*widen)(const void* page, int64_t n, float* out);  // n values to f32, n a multiple of 16
    void (*scores)(const ScoreArgs& args);
    void (*values)(const ValueArgs& args);
  } cache[3];

  // scores[0, n) -> weights exp(score - largest), 0 from n to kChunkPositions; returns largest and
  // sum in max and sum
  void (*softmax)(float* scores, int64_t n, float* max, float* sum);
  // Joins the next chunk's (max, sum, values) to the running one's.
  void (*merge)(float* max, float* sum, float* values, float next_max, float next_sum,
                const float* next_values, int64_t n);
  // out = values / sum
  void (*divide)(const float* values, float sum, int64_t n, float* out);
};

const KernelSet& portable_kernels();
const KernelSet& avx2_kernels();
const KernelSet& avxvnni_kernels();
const KernelSet& avx512_kernels();
const KernelSet& avx512_bf16_kernels();
const KernelSet& neon_kernels();
const KernelSet& neon_i8mm_kernels();

}  // namespace plumb::cpu
