#include "model/family.h"

#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace plumb {
namespace {

// Above any real model; below where products of two of them could overflow anything.
constexpr int64_t kMaxLayers = 4096, kMaxWidth = 1 << 24, kMaxHeads = 1 << 16,
                  kMaxHeadDim = 1 << 12;

float positive(const Keys& keys, std::string_view key, double value) {
  const float as_float = static_cast<float>(value);
  if (!(as_float > 0) || !std::isfinite(as_float))
    fail("{}: {}: expected a number above 0, got {}", keys.metadata.file_name(), keys(key), value);
  return as_float;
}

// The factor of linear scaling. A factor without a type is linear, and has an older name; 0 is 1.
float read_linear_factor(const Keys& keys) {
  const gguf::Metadata& m = keys.metadata;
  const std::string_view type = m.string_or(keys("rope.scaling.type"), "linear");
  if (type != "none" && type != "linear")
    fail("{}: {}: expected none or linear, got {}", m.file_name(), keys("rope.scaling.type"),
         quoted(type));
  const char* name =
      m.has(keys("rope.scaling.factor")) ? "rope.scaling.factor" : "rope.scale_linear";
  const double factor = m.number_or(keys(name), 1);
  return type == "none" || factor == 0 ? 1 : positive(keys, name, factor);
}

// Vocabulary size: the rows of the embedding, which the tokenizer and vocab_size must agree with.
int64_t read_vocab_size(const Keys& keys, const TensorTable& tensors, int64_t n_embd) {
  const int64_t rows = tensors.rows_of("token_embd.weight", n_embd);
  const auto must_agree = [&](std::string_view what, int64_t n) {
    if (n != rows)
      fail("{}: {}: expected {} entries, one per row of token_embd.weight, got {}",
           keys.metadata.file_name(), what, rows, n);
  };
  must_agree(keys("vocab_size"), keys.metadata.integer_or(keys("vocab_size"), rows));
  if (const auto tokens = keys.metadata.find("tokenizer.ggml.tokens"))
    if (const auto* array = std::get_if<gguf::Array>(&*tokens))
      must_agree("tokenizer.ggml.tokens", array->size());
  if (rows > INT32_MAX)
    fail("{}: token_embd.weight: expected at most {} rows, got {}", keys.metadata.file_name(),
         INT32_MAX, rows);
  return rows;
}

}  // namespace

ModelDesc read_decoder(const Keys& keys, TensorTable& tensors) {
  const gguf::Metadata& m = keys.metadata;
  ModelDesc d;
  d.architecture = keys.architecture;
  d.n_embd = m.integer(keys("embedding_length"), 1, kMaxWidth);
  d.n_context = m.integer(keys("context_length"), 1);
  d.norm_eps = positive(keys, "attention.layer_norm_rms_epsilon",
                        m.number(keys("attention.layer_norm_rms_epsilon")));
  d.n_vocab = read_vocab_size(keys, tensors, d.n_embd);
  d.embedding = tensors.matrix("token_embd.weight", d.n_embd, d.n_vocab);
  d.final_norm = tensors.vector("output_norm.weight", d.n_embd);
  d.head = tensors.optional_matrix("output.weight", d.n_embd, d.n_vocab);
  d.tied_head = !d.head;
  if (d.tied_head) d.head = d.embedding;
  d.layers.resize(static_cast<size_t>(m.integer(keys("block_count"), 1, kMaxLayers)));
  return d;
}

int64_t read_head_dim(const Keys& keys, int64_t n_embd, int64_t n_heads) {
  const gguf::Metadata& m = keys.metadata;
  const bool says_so = m.has(keys("attention.key_length"));
  if (!says_so && n_embd % n_heads != 0)
    fail("{}: {}: expected a divisor of the embedding length {}, got {}", m.file_name(),
         keys("attention.head_count"), n_embd, n_heads);
  const int64_t k = m.integer_or(keys("attention.key_length"), n_embd / n_heads, 1, kMaxHeadDim);
  const int64_t v =
      m.integer_or(keys("attention.value_length"), says_so ? k : n_embd / n_heads, 1, kMaxHeadDim);
  if (k != v)
    fail("{}: {}: expected the key length {}, got {}", m.file_name(),
         keys("attention.value_length"), k, v);
  return k;
}

Rope read_rope(const Keys& keys, TensorTable& tensors, RopeLayout layout, int64_t head_dim) {
  const gguf::Metadata& m = keys.metadata;
  Rope rope{.layout = layout};
  rope.n_dims = m.integer_or(keys("rope.dimension_count"), head_dim, 2, head_dim);
  if (rope.n_dims % 2)
    fail("{}: {}: expected an even number, got {}", m.file_name(), keys("rope.dimension_count"),
         rope.n_dims);
  rope.base = positive(keys, "rope.freq_base", m.number_or(keys("rope.freq_base"), 10000));
  rope.frequency_scale = 1 / read_linear_factor(keys);
  rope.magnitude =
      positive(keys, "rope.scaling.attn_factor", m.number_or(keys("rope.scaling.attn_factor"), 1));
  rope.factors = tensors.optional_vector("rope_freqs.weight", rope.n_dims / 2);
  return rope;
}

Attention read_attention(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                         int64_t layer, const Rope& rope) {
  const gguf::Metadata& m = keys.metadata;
  const auto n_layers = static_cast<int64_t>(desc.layers.size());
  const auto at = static_cast<size_t>(layer);
  const auto name = [&](std::string_view part) { return fmt::format("blk.{}.{}", layer, part); };
  Attention a{.rope = rope};
  a.n_heads = m.per_layer(keys("attention.head_count"), n_layers, 1, kMaxHeads)[at];
  a.n_kv_heads =
      m.per_layer_or(keys("attention.head_count_kv"), n_layers, a.n_heads, 1, kMaxHeads)[at];
  if (a.n_heads % a.n_kv_heads)
    fail("{}: {}: expected a divisor of the {} query heads, got {}", m.file_name(),
         keys("attention.head_count_kv"), a.n_heads, a.n_kv_heads);
  a.head_dim = read_head_dim(keys, desc.n_embd, a.n_heads);
  a.scale = 1 / std::sqrt(static_cast<float>(a.head_dim));
  const int64_t q = a.n_heads * a.head_dim, kv = a.n_kv_heads * a.head_dim;
  a.q = tensors.matrix(name("attn_q.weight"), desc.n_embd, q);
  a.k = tensors.matrix(name("attn_k.weight"), desc.n_embd, kv);
  a.v = tensors.matrix(name("attn_v.weight"), desc.n_embd, kv);
  a.out = tensors.matrix(name("attn_output.weight"), q, desc.n_embd);
  a.q_bias = tensors.optional_vector(name("attn_q.bias"), q);
  a.k_bias = tensors.optional_vector(name("attn_k.bias"), kv);
  a.v_bias = tensors.optional_vector(name("attn_v.bias"), kv);
  a.out_bias = tensors.optional_vector(name("attn_output.bias"), desc.n_embd);
  return a;
}

DenseFfn read_dense_ffn(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                        int64_t layer, Activation activation) {
  const auto n_layers = static_cast<int64_t>(desc.layers.size());
  const auto name = [&](std::string_view part) { return fmt::format("blk.{}.{}", layer, part); };
  const int64_t n_ff = keys.metadata.per_layer(keys("feed_forward_length"), n_layers, 1,
                                               kMaxWidth)[static_cast<size_t>(layer)];
  DenseFfn f{.activation = activation};
  f.gate = tensors.matrix(name("ffn_gate.weight"), desc.n_embd, n_ff);
  f.up = tensors.matrix(name("ffn_up.weight"), desc.n_embd, n_ff);
  f.down = tensors.matrix(name("ffn_down.weight"), n_ff, desc.n_embd);
  f.gate_bias = tensors.optional_vector(name("ffn_gate.bias"), n_ff);
  f.up_bias = tensors.optional_vector(name("ffn_up.bias"), n_ff);
  f.down_bias = tensors.optional_vector(name("ffn_down.bias"), desc.n_embd);
  return f;
}

}  // namespace plumb
