#pragma once
// What will *run*: a flat list of fused steps, each with its operands and exact costs, compiled
// once from a ModelDesc and checked once, so that the token loop has nothing left to check. A plan
// is a plain value that prints itself. The set of steps is closed and small; every step is a place
// where threads meet (CPU) or a kernel starts (GPU), so fewer is faster.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/model_desc.h"

namespace plumb {

using BufferId = int;

// What a buffer has one row for. All buffers hold f32.
enum class Rows {
  token,  // each token of the batch
  logits  // each token of the batch whose logits are wanted
};
struct Buffer {
  std::string name;
  int64_t columns;
  Rows rows;
};

// RMS norm (Zhang & Sennrich 2019) that the step applies to its input row while reading it.
struct Norm {
  Tensor weight;  // [columns of the input]
  float eps;
};

// x[t] = row tokens[t] of the table
struct Embed {
  BufferId to;  // [token, n_embd]
  Tensor table;
};

// to[t] = concat over parts of W part * norm(from[t]) + bias: several matrices side by side on one
// input
struct Project {
  struct Part {
    Tensor weight;
    Tensor bias;     // optional [weight.rows]
    int64_t column;  // where its rows start in `to`
  };
  BufferId from, to;
  Norm norm;
  std::vector<Part> parts;
};

// For each token: rotate q and k, append k and v to the cache of `cache_layer` at the token's
// (slot, position), then attend over positions 0..position of the slot: softmax(scale * q.k) v,
// softmax in f32. Leaves partial results (one or more splits of the positions) where the backend
// keeps them; MergePartials, always the next step, combines them.
struct Attend {
  BufferId
      qkv;  // [token, (n_heads + 2 n_kv_heads) * head_dim]: q heads, then k heads, then v heads
  int64_t n_heads, n_kv_heads, head_dim;
  float scale;
  Rope rope;
  int cache_layer;
};

// to[t] = the attention output of all heads, normalised
struct MergePartials {
  BufferId to;  // [token, n_heads * head_dim]
  int64_t n_heads, head_dim;
};

// residual[t] += W from[t] + bias
struct ProjectAdd {
  BufferId from, residual;
  Tensor weight;
  Tensor bias;  // optional
};

// to[t] = activation(W gate n + bias) * (W up n + bias), n = norm(from[t])
struct GateUp {
  BufferId from, to;
  Norm norm;
  Activation activation;
  Tensor gate, up;
  Tensor gate_bias, up_bias;  // optional
};

// logits[r] = W norm(from[token of row r])
struct Head {
  BufferId from, to;  // [token, n_embd] -> [logits, n_vocab]
  Norm norm;
  Tensor weight;
};

// the id of the largest logit of each row (the lowest id on ties)
struct Pick {
  BufferId from;  // [logits, n_vocab]
};

using StepArgs =
    std::variant<Embed, Project, Attend, MergePartials, ProjectAdd, GateUp, Head, Pick>;
std::string_view kind_name(const StepArgs& args);  // "embed", "project", ...

// Which part of the model a step's bytes belong to.
enum class Path {
  attention,
  delta_net,
  dense,
  routed_experts,
  shared_expert,
  router,
  head,
  embedding,
  other
};
std::string_view path_name(Path path);

// Bytes and operations (a multiply-add is two) of a step for n tokens of a sequence that holds p
// positions already. Token i sees p + i + 1 positions, its own included; together n tokens see
// seen(n, p) = n p + n (n + 1) / 2.
//   reads  = weight_bytes + n * read_per_token + seen * read_per_position
//   writes = n * write_per_token
//   ops    = n * ops_per_token + seen * ops_per_position
// Weights are read once per batch; activations count once per read and write; each token counts
// the cached positions it sees (a backend that serves several tokens from one read reads less).
// Sums saturate at INT64_MAX.
struct Cost {
  int64_t weight_bytes = 0;
  int64_t read_per_token = 0, read_per_position = 0;
  int64_t write_per_token = 0;
  int64_t ops_per_token = 0, ops_per_position = 0;

  static int64_t seen(int64_t n_tokens, int64_t depth);
  int64_t reads(int64_t n_tokens, int64_t depth) const;
  int64_t writes(int64_t n_tokens) const;
  int64_t ops(int64_t n_tokens, int64_t depth) const;
};

struct Step {
  std::string name;  // "layer 3 qkv"
  int layer;         // -1 outside the layers
  Path path;
  StepArgs args;
  Cost cost;
};
std::vector<const Tensor*> weights_of(
    const Step& step);  // matrices, norms and biases that the step reads
// Formats of the step's matrices, each once: "Q4_1", "Q4_1+Q6_K"; "" where it has none.
std::string formats_of(const Step& step);
std::vector<BufferId> buffers_read(const Step& step);
std::vector<BufferId> buffers_written(const Step& step);

// The key-value cache: pages of kPagePositions consecutive positions of one sequence, one layer's
// share of a page holding K [n_kv_heads, kPagePositions, head_dim] and V likewise.
inline constexpr int64_t kPagePositions = 64;
struct CacheLayer {
  int64_t n_kv_heads, head_dim;
};
struct CacheLayout {
  Format k = Format::f16, v = Format::f16;
  std::vector<CacheLayer> layers;
  int64_t bytes_per_position() const;  // K and V of all layers
};

struct PlanOptions {
  Format cache_k = Format::f16, cache_v = Format::f16;
  int64_t n_positions = 0;  // per sequence; 0: the model's context
  int64_t n_sequences = 1;
  int64_t max_batch = 512;  // tokens in one batch
  int64_t max_logits = 1;   // rows of logits in one batch
};

struct Plan {
  std::vector<Buffer> buffers;
  CacheLayout cache;
  std::vector<Step> steps;
  PlanOptions options;  // as compiled: no zeros left
  int64_t n_vocab = 0;
};

// Error: an option out of range, a cache type that is not known.
Plan compile(const ModelDesc& desc, const PlanOptions& options);

// Every byte that a backend may allocate. Sums saturate at INT64_MAX.
struct Memory {
  int64_t weights = 0;  // as the backend keeps them
  int64_t kv = 0;
  int64_t state = 0;    // recurrent layers
  int64_t scratch = 0;  // buffers, logits and the backend's own work space
  int64_t mapped = 0;   // weights that are read from the mapped file: not in the total
  int64_t total() const;
  Memory operator+(const Memory& other) const;
};
int64_t cache_pages(const PlanOptions& options);  // pages of all sequences
int64_t cache_bytes(const Plan& plan);
int64_t buffer_bytes(const Plan& plan);  // all buffers at the largest batch
int64_t weight_bytes(const Plan& plan);  // every matrix, norm and bias once, in file format
int64_t weight_bytes_per_token(const Plan& plan);  // that decoding one token reads
int64_t saturating_mul(int64_t a, int64_t b);
int64_t saturating_add(int64_t a, int64_t b);

// Text for people and the JSON of `plumb plan --json`, for n tokens at a depth.
std::string to_text(const Plan& plan, int64_t n_tokens, int64_t depth);
nlohmann::ordered_json to_json(const Plan& plan, int64_t n_tokens, int64_t depth);

}  // namespace plumb
