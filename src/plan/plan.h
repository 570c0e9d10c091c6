#pragma once
// What will *run*: a flat list of fused steps, each with its operands and costs, compiled
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
  Tensor weight;  // [columns of the input]; empty: no norm
  float eps = 0;
};

// x[t] = scale * row tokens[t] of the table
struct Embed {
  BufferId to;  // [token, n_embd]
  Tensor table;
  float scale = 1;
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

// For each token: norm the heads of q, k and v where asked to, rotate q and k, append k and v to
// the cache of `cache_layer` at the token's (slot, position), then attend over the positions of the
// slot that it sees, the last `window` up to its own: softmax(cap(scale * q.k)) v, softmax in f32.
// Leaves partial results (one or more splits of the positions) where the backend keeps them;
// MergePartials, always the next step, combines them.
struct Attend {
  // [token, columns]: q heads (each with its gate behind it where gated), then k heads, then v
  // heads; no v: it is k as projected; no k: another layer has filled the cache.
  BufferId qkv;
  int64_t n_heads, n_kv_heads, head_dim;
  float scale;
  Rope rope;
  int cache_layer;
  Norm q_norm, k_norm;  // of a head; empty: none
  bool v_norm = false;  // without a weight, eps of k_norm
  bool gated = false, appends = true, has_v = true;
  int64_t window = 0;   // 0: all
  float logit_cap = 0;  // 0: none, see Attention
  Tensor sinks;         // [n_heads] or none: joins the sum of each head's softmax

  int64_t q_stride() const { return gated ? 2 * head_dim : head_dim; }  // from head to head
  int64_t k_column() const { return n_heads * q_stride(); }
  int64_t v_column() const { return has_v ? k_column() + n_kv_heads * head_dim : k_column(); }
};

// to[t] = the attention output of all heads, normalised; times sigmoid(gate) where there is one
struct MergePartials {
  BufferId to;  // [token, n_heads * head_dim]
  int64_t n_heads, head_dim;
  BufferId gate = -1;  // Attend's qkv, head h's gate at (2 h + 1) * head_dim; -1: none
};

// Tokens of a chunk of the gated delta rule.
inline constexpr int64_t kDeltaChunk = 16;

// The gated delta rule, with what the layer holds of each token's sequence, in f32. Its state: the
// last conv_width - 1 rows of q, k and v as they came, then [n_v_heads][head_dim, head_dim]. Then,
// for backends that work in chunks of kDeltaChunk positions, the chunk that is not complete yet: of
// each key head its keys [kDeltaChunk, head_dim], of each value head decays [kDeltaChunk] and
// changes [head_dim, kDeltaChunk]. At a page's boundary none is open. Tokens of a sequence in
// rising position; for each of them, u, z, a, b being the parts of `from`:
//   c = silu(sum over m of taps[m] * u of the token conv_width - 1 - m before)
//   q, k = the heads of c, divided by max(their length, norm_eps); v = the rest of c
//   per value head p, with q and k of head p % n_k_heads:
//     S = e^(a_p softplus(a + dt_bias_p)) S;  S += k (sigmoid(b) (v - S^T k))^T
//     to = norm(S^T q / sqrt(head_dim)) * silu(z)
struct DeltaRule {
  BufferId from, to;  // [token, channels + inner + 2 n_v_heads], [token, inner]
  int64_t n_k_heads, n_v_heads, head_dim, conv_width;
  Tensor conv, a, dt_bias, norm;  // see DeltaNet
  float norm_eps;
  int state_layer;

  int64_t inner() const { return n_v_heads * head_dim; }
  int64_t channels() const { return 2 * n_k_heads * head_dim + inner(); }
  int64_t z_column() const { return channels(); }
  int64_t alpha_column() const { return channels() + inner(); }
  int64_t beta_column() const { return alpha_column() + n_v_heads; }
  int64_t conv_values() const { return (conv_width - 1) * channels(); }
  int64_t state_values() const { return conv_values() + inner() * head_dim; }
  // The open chunk: where its parts begin, counted from the state's first value, and how many.
  int64_t keys_at(int64_t k_head) const { return state_values() + k_head * head_dim * kDeltaChunk; }
  int64_t decays_at(int64_t v_head) const {
    return keys_at(n_k_heads) + v_head * (1 + head_dim) * kDeltaChunk;
  }
  int64_t chunk_values() const { return decays_at(n_v_heads) - state_values(); }
};

// residual[t] += W from[t] + bias
struct ProjectAdd {
  BufferId from, residual;
  Tensor weight;
  Tensor bias;  // optional
};

// to[t], in slices as wide as the norm's weight: scale * (norm(slice) + table_scale * the slice of
// row tokens[t] of the table)
struct EmbedSlices {
  BufferId to;  // [token, table.columns], holds the values to norm
  Tensor table;
  float table_scale;
  Norm norm;
  float scale;
};

// to[t] = activation(W from[t]) * columns [column, column + gate.rows) of slices[t]
struct GateBy {
  BufferId from, slices, to;
  int64_t column;
  Activation activation;
  Tensor gate;
};

// residual[t] = scale * (residual[t] + norm(sum over branches of norm_i(from_i[t])))
struct AddBranches {
  struct Branch {
    BufferId from;
    Norm norm;
  };
  std::vector<Branch> branches;
  Norm norm;
  BufferId residual;
  float scale = 1;
};

// to[t] = activation(W gate n + bias) * (W up n + bias), n = norm(from[t])
struct GateUp {
  BufferId from, to;
  Norm norm;
  Activation activation;
  Tensor gate, up;
  Tensor gate_bias, up_bias;  // optional
};

// logits[t] = scale * (W router_norm(from[t])) + bias; where there is a shared expert gate: one
// more column, its logit. And the shared expert's first half: shared[t] = activation(W gate n) * (W
// up n), n = norm(from[t]). The router's activations are f32: rounded ones would choose other
// experts.
struct Route {
  BufferId from, logits;  // [token, n_embd] -> [token, n_experts] or [token, n_experts + 1]
  BufferId shared;        // [token, shared width], or -1: no shared expert
  Norm norm, router_norm;
  float scale = 1;
  Tensor router, bias;  // bias optional
  Tensor shared_gate;   // optional [n_embd]
  DenseFfn shared_ffn;  // gate, up and their biases
};

// The n_used experts of each token by its logits, and their first halves:
// to[t, i * rows + r] = activation(W gate_e n + bias)[r] * (W up_e n + bias)[r], n = norm(from[t]),
// e the i-th chosen. chosen[t] = their numbers (by falling logit, the lower number first on ties),
// then their weights.
struct ExpertGateUp {
  BufferId from, logits;
  BufferId to, chosen;  // [token, n_used * gate.rows], [token, 2 * n_used]
  Norm norm;
  int64_t n_experts, n_used;
  RouterRule rule;
  Activation activation;
  ExpertStack gate, up;
  Tensor expert_scale;  // optional [n_experts]
};

// to[t] += sum over i of weight_i * (W down_e from[t, i] + bias_e);
// shared_to[t] += weight * (W shared_down shared[t] + bias), the weight being sigmoid(the last
// column of logits), or 1 where the shared expert has no gate. What is not added to is set.
struct ExpertDownAdd {
  BufferId from, chosen;
  BufferId shared = -1, logits = -1;  // -1: no shared expert; no gate
  BufferId to, shared_to = -1;        // both the residual, or buffers of their own
  bool adds = true;
  int64_t n_experts, n_used;
  ExpertStack down;
  Tensor shared_down, shared_bias;
};

// logits[r] = cap(W norm(from[token of row r]) + bias)
struct Head {
  BufferId from, to;  // [token, n_embd] -> [logits, n_vocab]
  Norm norm;
  Tensor weight;
  Tensor bias;          // optional
  float logit_cap = 0;  // c: c tanh(logit / c); 0: none
};

// the id of the largest logit of each row (the lowest id on ties)
struct Pick {
  BufferId from;  // [logits, n_vocab]
};

using StepArgs =
    std::variant<Embed, Project, Attend, MergePartials, DeltaRule, ProjectAdd, AddBranches,
                 EmbedSlices, GateBy, GateUp, Route, ExpertGateUp, ExpertDownAdd, Head, Pick>;
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
// positions already. Token i sees p + i + 1 positions, its own included, or the window's if those
// are fewer; together n tokens see seen(n, p) = n p + n (n + 1) / 2 without a window.
//   reads  = weight_bytes + experts(n) * expert_bytes + state_read + n * read_per_token
//            + seen * read_per_position
//   writes = state_write + min(n, kDeltaChunk) * state_write_per_token + n * write_per_token
//   ops    = n * ops_per_token + seen * ops_per_position
// experts(n) = min(n * n_used, n_experts): exact for one token, else the most that n tokens can
// choose. Weights are read once per batch; activations count once per read and write; each token
// counts the cached positions it sees (a backend that serves several tokens from one read reads
// less). Sums saturate at INT64_MAX.
struct Cost {
  int64_t weight_bytes = 0;
  int64_t read_per_token = 0, read_per_position = 0;
  int64_t write_per_token = 0;
  int64_t ops_per_token = 0, ops_per_position = 0;
  int64_t window = 0;  // 0: none
  int64_t expert_bytes = 0, n_used = 0, n_experts = 0;
  // Of the sequence in a recurrent layer, on average over the places of a chunk: an open one is
  // half full, and the state is written once per chunk. What is kept of earlier states is not
  // counted: a copy per page, and one where a batch of many tokens begins.
  int64_t state_read = 0;
  int64_t state_write = 0, state_write_per_token = 0;

  static int64_t seen(int64_t n_tokens, int64_t depth, int64_t window = 0);
  int64_t reads(int64_t n_tokens, int64_t depth) const;
  int64_t writes(int64_t n_tokens) const;
  int64_t state_writes(int64_t n_tokens) const;  // of them
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
// Of them what it multiplies by, and tables; a matrix may have one row.
std::vector<const Tensor*> matrices_of(const Step& step);
// The table of which the step reads a row per token, or null.
const Tensor* table_of(const Step& step);
// The weights of a step and how many of their bytes one decoded token reads: all, one row of a
// table, or the chosen experts; by the part of the model they belong to.
struct WeightUse {
  const Tensor* tensor;
  int64_t bytes_per_token;
  Path path;
};
std::vector<WeightUse> weight_uses(const Step& step);
// Formats of the step's matrices, each once: "Q4_1", "Q4_1+Q6_K"; "" where it has none.
std::string formats_of(const Step& step);
std::vector<BufferId> buffers_read(const Step& step);
std::vector<BufferId> buffers_written(const Step& step);

// The key-value cache: pages of kPagePositions consecutive positions of one sequence, one layer's
// share of a page holding K [n_kv_heads, kPagePositions, head_dim] and V likewise.
inline constexpr int64_t kPagePositions = 64;
struct CacheLayer {
  int64_t n_kv_heads, head_dim;
  int64_t window = 0;  // positions that a token sees, 0: all
};
struct CacheLayout {
  Format k = Format::f16, v = Format::f16;
  std::vector<CacheLayer> layers;
  int64_t bytes_per_position(const CacheLayer& layer) const;  // K and V
  int64_t bytes_per_position() const;                         // of all layers
};

// What recurrent layers remember of a sequence, in f32: a state, and behind it what is kept of a
// chunk of tokens until the state takes it in.
struct StateLayer {
  int64_t values, chunk_values;
};
struct StateLayout {
  std::vector<StateLayer> layers;
  int64_t bytes() const { return sum(&StateLayer::values); }  // of one sequence: the states
  int64_t chunk_bytes() const { return sum(&StateLayer::chunk_values); }

 private:
  int64_t sum(int64_t StateLayer::*values) const;
};

inline constexpr int64_t kMaxSnapshots = 1 << 10;
struct PlanOptions {
  Format cache_k = Format::f16, cache_v = Format::f16;
  int64_t n_positions = 0;  // per sequence; 0: the model's context
  int64_t n_sequences = 1;
  int64_t max_batch = 512;  // tokens in one batch
  int64_t max_logits = 1;   // rows of logits in one batch
  int64_t n_snapshots = 4;  // earlier states of recurrent layers that are kept, per sequence
};

struct Plan {
  std::vector<Buffer> buffers;
  CacheLayout cache;
  StateLayout states;
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
  int64_t state = 0;           // recurrent layers
  int64_t scratch = 0;         // buffers, logits and the backend's own work space
  int64_t mapped = 0;          // weights that are read from the mapped file: not in the total
  int64_t mapped_experts = 0;  // of those, experts that did not fit into memory
  int64_t total() const;
  Memory operator+(const Memory& other) const;
};
int64_t cache_bytes(const Plan& plan);
int64_t state_bytes(const Plan& plan);  // of all sequences, with the earlier ones that are kept
// Of recurrent states, that a batch of n tokens of one sequence reads and writes.
int64_t state_traffic(const Plan& plan, int64_t n_tokens);
int64_t buffer_bytes(const Plan& plan);  // all buffers at the largest batch
int64_t weight_bytes(const Plan& plan);  // every matrix, norm and bias once, in file format
int64_t weight_bytes_per_token(const Plan& plan);  // that decoding one token reads
int64_t saturating_mul(int64_t a, int64_t b);
int64_t saturating_add(int64_t a, int64_t b);

// Text for people and the JSON of `plumb plan --json`, for n tokens at a depth.
std::string to_text(const Plan& plan, int64_t n_tokens, int64_t depth);
nlohmann::ordered_json to_json(const Plan& plan, int64_t n_tokens, int64_t depth);

}  // namespace plumb
