#pragma once
// What a model *is*: layers made of block descriptions, as data. No file offsets, no devices, and
// after this room no architecture names: a family (families/) is a reading of metadata and nothing
// else.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/format.h"
#include "gguf/gguf.h"

namespace plumb {

// A named view on weights in a format: `rows` rows of `columns` contiguous values, y = W x. A
// vector has one row. The bytes belong to the file, which must outlive the description.
struct Tensor {
  std::string name;
  Format format = Format::f32;
  int64_t columns = 0;
  int64_t rows = 0;
  std::span<const uint8_t> data;

  explicit operator bool() const { return rows > 0; }  // optional weights are empty tensors
  int64_t row_bytes() const { return format_bytes(format, columns); }
  int64_t bytes() const { return row_bytes() * rows; }
  int64_t elements() const { return columns * rows; }
};

// Rows [first, first + n) of a matrix, or values of a vector, as a tensor of its own: how weights
// that a file stores fused are taken apart. Error: a vector cut inside a block of its format.
Tensor part_of(const Tensor& whole, int64_t first, int64_t n);

// Rotary positions (Su et al. 2021). Pair i of a head turns by position * frequency_scale *
// base^(-2i/n_dims) / factors[i]. The factors carry every way to reach further than a model was
// trained for: Llama 3's tensor, yarn, longrope.
enum class RopeLayout {
  interleaved,  // pairs (x[2i], x[2i+1])
  half_split    // pairs (x[i], x[i + n_dims/2])
};
struct Rope {
  RopeLayout layout = RopeLayout::interleaved;
  int64_t n_dims = 0;  // rotated values of a head; the rest pass unchanged. 0: no rope
  float base = 10000;
  float frequency_scale = 1;   // 1/factor of linear scaling
  float magnitude = 1;         // of cosine and sine: what is turned becomes this much longer
  std::vector<float> factors;  // [n_dims/2], or none
  // [n_dims/2] or none: these instead, for sequences of more than short_positions (compile()
  // chooses).
  std::vector<float> long_factors;
  int64_t short_positions = 0;
  std::string reach;  // how it reaches further, for people: "yarn 32 times"; empty: it does not
};

// softmax(scale q.k) v over the positions that a token sees, its own and those before it.
struct Attention {
  int64_t n_heads = 0, n_kv_heads = 0,
          head_dim = 0;  // query head h reads kv head h / (n_heads / n_kv_heads)
  float scale = 0;
  Rope rope;
  int64_t window = 0;   // positions that a token sees, its own included; 0: all
  float logit_cap = 0;  // c: scores become c tanh(score / c) before the softmax; 0: they do not
  bool output_gate = false;  // q has 2 head_dim rows per head: query, gate; the head's output is
                             // multiplied by sigmoid(gate)
  bool v_norm = false;       // every head of v is RMS-normed, without a weight
  int cache_of_layer = -1;   // the layer whose keys and values this one attends to; -1: its own
  Tensor q, k, v, out;       // [n_embd, n_heads*head_dim], [n_embd, n_kv_heads*head_dim] x2,
                             // [n_heads*head_dim, n_embd]; no v: the values are k as projected
                             // (before norm and rope); no k either where cache_of_layer is set
  Tensor q_bias, k_bias, v_bias, out_bias;  // optional
  Tensor q_norm, k_norm;  // optional [head_dim]: every head is RMS-normed before it turns
  Tensor sinks;           // optional [n_heads]: a score without a value in each head's softmax
};

inline constexpr int64_t kMaxConvWidth = 16;  // of the convolution of a DeltaNet

// Gated delta net (Yang, Kautz, Hatamizadeh 2024): a short convolution over time, then per value
// head a state that is decayed, corrected towards v along k, and read out along q. Value head p
// uses query and key head p % n_k_heads.
struct DeltaNet {
  int64_t n_k_heads = 0, n_v_heads = 0, head_dim = 0, conv_width = 0;
  Tensor qkv, z, alpha, beta;  // [n_embd, channels()], [n_embd, inner()], [n_embd, n_v_heads] x2
  Tensor conv;                 // [conv_width, channels()], the current token's tap last
  Tensor a, dt_bias;           // [n_v_heads] decay = e^(a softplus(alpha + dt_bias)), a <= 0
  Tensor norm, out;            // [head_dim] of a head's output, [inner(), n_embd]

  int64_t inner() const { return n_v_heads * head_dim; }
  int64_t channels() const { return 2 * n_k_heads * head_dim + inner(); }  // q, k, v
};

// What becomes of a gate g and its partner u: the activation of g, times u.
enum class Activation {
  silu,           // g / (1 + e^-g)
  gelu,           // g/2 (1 + tanh(sqrt(2/pi) (g + 0.044715 g^3)))
  clamped_swiglu  // gpt-oss: g to at most 7, u to within +-7; g / (1 + e^(-1.702 g)) * (u + 1)
};
std::string_view activation_name(Activation activation);

struct DenseFfn {
  Activation activation = Activation::silu;
  Tensor gate, up, down;                 // [n_embd, n_ff] x2, [n_ff, n_embd]
  Tensor gate_bias, up_bias, down_bias;  // optional
};

// One matrix of every expert: expert e has rows [e * stride + first, that + rows) of the weight.
// Where gate and up are stored fused, both name the same weight.
struct ExpertStack {
  Tensor weight;  // [columns, n_experts * stride]
  Tensor bias;    // optional [rows, n_experts]
  int64_t rows = 0, first = 0, stride = 0;
};

// How the weights of a token's experts follow from the router's logits.
enum class RouterRule {
  softmax_top,  // p = softmax over all experts; the largest p, divided by max(their sum, 2^-14)
  top_softmax   // the largest logits; softmax over these alone
};

// Mixture of experts (Shazeer et al. 2017): the sum over a token's n_used experts of weight *
// down(activation(gate, up)), plus that of a shared expert, which every token uses.
struct MoeFfn {
  int64_t n_experts = 0, n_used = 0;
  RouterRule rule = RouterRule::softmax_top;
  Activation activation = Activation::silu;
  Tensor router, router_bias;  // [n_embd, n_experts], optional [n_experts]
  Tensor router_norm;          // optional [n_embd]: of the router's input, instead of ffn_norm
  float router_scale = 1;      // of the logits
  Tensor expert_norm;          // optional [n_embd]: of the experts' input, instead of ffn_norm
  ExpertStack gate, up, down;
  Tensor expert_scale;             // optional [n_experts]: of each expert's weight
  std::optional<DenseFfn> shared;  // reads ffn_norm
  Tensor shared_gate;              // optional [n_embd]: the shared one counts sigmoid(it . input)
  Tensor routed_post_norm, shared_post_norm;  // optional [n_embd]: of either part before their sum
};

// x += mixer(norm(x; mixer_norm)); x += ffn(norm(x; ffn_norm)); x *= output_scale. Where there are
// post norms, what is added is normed first.
using Mixer = std::variant<Attention, DeltaNet>;
using Ffn = std::variant<DenseFfn, MoeFfn>;
// What a layer makes of its slice of the per-layer embedding, after its FFN: x += norm(W out
// (activation(W gate x) * slice); post_norm).
struct PerLayerInput {
  Activation activation = Activation::gelu;
  Tensor gate, out;  // [n_embd, width], [width, n_embd]; none: the layer takes no slice
  Tensor post_norm;  // [n_embd]
};

struct Layer {
  Tensor mixer_norm;  // [n_embd]
  Mixer mixer;
  Tensor post_mixer_norm;  // optional [n_embd]
  Tensor ffn_norm;         // [n_embd]
  Ffn ffn;
  Tensor post_ffn_norm;  // optional [n_embd]
  PerLayerInput per_layer_input;
  float output_scale = 1;
};

// A second embedding with a slice for every layer (Gemma 3n and the small Gemma 4): (norm of the
// slice of W projection x + sqrt(width) * the token's row of the table) / sqrt(2), x being the
// scaled first embedding over sqrt(n_embd).
struct PerLayerEmbedding {
  int64_t width = 0;  // of a slice; 0: the model has none
  Tensor table;       // [n_layers * width, n_vocab]
  Tensor projection;  // [n_embd, n_layers * width]
  Tensor norm;        // [width]
};

struct ModelDesc {
  std::string architecture;
  int64_t n_embd = 0, n_vocab = 0, n_context = 0;
  float norm_eps = 0;     // of every RMS norm
  float embed_scale = 1;  // of the embedding's rows
  PerLayerEmbedding per_layer;
  float logit_cap = 0;  // c: logits become c tanh(logit / c); 0: they do not
  Tensor embedding;     // [n_embd, n_vocab]
  Tensor final_norm;    // [n_embd]
  Tensor head;          // [n_embd, n_vocab]; the embedding again where tied
  Tensor head_bias;     // optional [n_vocab]
  bool tied_head = false;
  int64_t n_left_out = 0;  // blocks at the end of the file that predict further tokens: not read
  std::vector<Layer> layers;
};

// Reads the file by its general.architecture. Error: unknown architecture (with the known ones), a
// missing or wrong key, a tensor that is missing, has another shape, an unsupported format, or
// belongs to nothing.
ModelDesc load_model_desc(const gguf::File& file);

// Names of the architectures that load_model_desc reads.
std::vector<std::string> known_architectures();

// Every weight of the model once, in file-independent order (tied heads once).
std::vector<const Tensor*> tensors_of(const ModelDesc& desc);

// A page of text for people: sizes, layers by kind, formats.
std::string to_text(const ModelDesc& desc);

}  // namespace plumb
