#include "model/family.h"

#include <cmath>

#include "base/error.h"

namespace plumb {
namespace {

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

// q, k and v from tensors of their own or as rows of one.
void read_projections(TensorTable& tensors, int64_t n_embd, int64_t layer, Attention& a) {
  const int64_t q = a.n_heads * a.head_dim * (a.output_gate ? 2 : 1);
  const int64_t kv = a.n_kv_heads * a.head_dim, all = q + 2 * kv;
  if (const Tensor fused =
          tensors.optional_matrix(in_layer(layer, "attn_qkv.weight"), n_embd, all)) {
    a.q = part_of(fused, 0, q);
    a.k = part_of(fused, q, kv);
    a.v = part_of(fused, q + kv, kv);
    if (const Tensor bias = tensors.optional_vector(in_layer(layer, "attn_qkv.bias"), all)) {
      a.q_bias = part_of(bias, 0, q);
      a.k_bias = part_of(bias, q, kv);
      a.v_bias = part_of(bias, q + kv, kv);
    }
    return;
  }
  a.q = tensors.matrix(in_layer(layer, "attn_q.weight"), n_embd, q);
  a.k = tensors.matrix(in_layer(layer, "attn_k.weight"), n_embd, kv);
  a.v = tensors.matrix(in_layer(layer, "attn_v.weight"), n_embd, kv);
  a.q_bias = tensors.optional_vector(in_layer(layer, "attn_q.bias"), q);
  a.k_bias = tensors.optional_vector(in_layer(layer, "attn_k.bias"), kv);
  a.v_bias = tensors.optional_vector(in_layer(layer, "attn_v.bias"), kv);
}

}  // namespace

float read_number(const Keys& keys, std::string_view key, Range range,
                  std::optional<double> fallback) {
  const gguf::Metadata& m = keys.metadata;
  const double value = fallback ? m.number_or(keys(key), *fallback) : m.number(keys(key));
  if (!(value >= range.least && value <= range.most))
    fail("{}: {}: expected a number of {:g}..{:g}, got {}", m.file_name(), keys(key), range.least,
         range.most, value);
  return static_cast<float>(value);
}

float read_cap(const Keys& keys, std::string_view key, double fallback) {
  const bool none = keys.metadata.number_or(keys(key), fallback) == 0;
  return none ? 0 : read_number(keys, key, kCap, fallback);
}

void require_number(const Keys& keys, std::string_view key, int64_t expected) {
  const gguf::Metadata& m = keys.metadata;
  m.integer_or(keys(key), expected, expected, expected);
}

void require_heads_alike(const Keys& keys, int64_t head_dim, int64_t n_dims) {
  require_number(keys, "attention.key_length_swa", head_dim);
  require_number(keys, "attention.value_length_swa", head_dim);
  require_number(keys, "rope.dimension_count_swa", n_dims);
}

void require_tensor(const Keys& keys, const Tensor& tensor, const std::string& name) {
  if (!tensor)
    fail("{}: tensor {}: expected it in every {} model, got none", keys.metadata.file_name(), name,
         keys.architecture);
}

std::vector<float> values_of(const Tensor& vector) {
  std::vector<float> values(static_cast<size_t>(vector.elements()));
  if (vector)
    format_info(vector.format).decode(vector.data.data(), values.data(), vector.elements());
  return values;
}

float read_scalar(const Keys& keys, TensorTable& tensors, const std::string& name, float fallback) {
  const std::vector<float> values = values_of(tensors.optional_vector(name, 1));
  if (values.empty()) return fallback;
  if (!std::isfinite(values[0]))
    fail("{}: tensor {}: expected a number, got {}", keys.metadata.file_name(), name, values[0]);
  return values[0];
}

std::string in_layer(int64_t layer, std::string_view part) {
  return fmt::format("blk.{}.{}", layer, part);
}

ModelDesc read_decoder(const Keys& keys, TensorTable& tensors) {
  const gguf::Metadata& m = keys.metadata;
  if (!m.boolean_or(keys("attention.causal"), true))
    fail("{}: {}: expected true (plumb generates text), got false", m.file_name(),
         keys("attention.causal"));
  // Of embedding and ranking models; 0: none.
  if (const int64_t pooling = m.integer_or(keys("pooling_type"), 0); pooling != 0)
    fail("{}: {}: expected 0 (plumb generates text), got {}", m.file_name(), keys("pooling_type"),
         pooling);
  ModelDesc d;
  d.architecture = keys.architecture;
  d.n_embd = m.integer(keys("embedding_length"), 1, kMaxWidth);
  d.n_context = m.integer(keys("context_length"), 1);
  d.norm_eps = read_number(keys, "attention.layer_norm_rms_epsilon", kEps);
  d.n_vocab = read_vocab_size(keys, tensors, d.n_embd);
  d.embedding = tensors.matrix("token_embd.weight", d.n_embd, d.n_vocab);
  d.final_norm = tensors.vector("output_norm.weight", d.n_embd);
  d.head = tensors.optional_matrix("output.weight", d.n_embd, d.n_vocab);
  d.tied_head = !d.head;
  if (d.tied_head) d.head = d.embedding;
  d.head_bias = tensors.optional_vector("output.bias", d.n_vocab);
  d.layers.resize(static_cast<size_t>(m.integer(keys("block_count"), 1, kMaxLayers)));
  return d;
}

void read_pre_norms(TensorTable& tensors, ModelDesc& desc, int64_t layer) {
  Layer& l = desc.layers[static_cast<size_t>(layer)];
  l.mixer_norm = tensors.vector(in_layer(layer, "attn_norm.weight"), desc.n_embd);
  l.ffn_norm = tensors.vector(in_layer(layer, "ffn_norm.weight"), desc.n_embd);
}

void read_post_norms(TensorTable& tensors, ModelDesc& desc, int64_t layer) {
  Layer& l = desc.layers[static_cast<size_t>(layer)];
  l.post_mixer_norm = tensors.vector(in_layer(layer, "post_attention_norm.weight"), desc.n_embd);
  l.post_ffn_norm = tensors.vector(in_layer(layer, "post_ffw_norm.weight"), desc.n_embd);
}

int64_t read_head_dim(const Keys& keys, int64_t n_embd, std::string_view suffix) {
  const gguf::Metadata& m = keys.metadata;
  const std::string key = fmt::format("attention.key_length{}", suffix),
                    value = fmt::format("attention.value_length{}", suffix);
  int64_t k;
  if (m.has(keys(key)) || !suffix.empty()) {
    k = m.integer(keys(key), 1, kMaxHeadDim);
  } else {
    const int64_t n_layers = m.integer(keys("block_count"), 1, kMaxLayers);
    const int64_t n_heads =
        m.per_layer(keys("attention.head_count"), n_layers, 1, kMaxHeads).front();
    if (n_embd % n_heads != 0)
      fail("{}: {}: expected a divisor of the embedding length {}, got {}", m.file_name(),
           keys("attention.head_count"), n_embd, n_heads);
    k = n_embd / n_heads;
    if (k > kMaxHeadDim)
      fail("{}: {}: expected heads of at most {} values, got {}", m.file_name(),
           keys("attention.head_count"), kMaxHeadDim, k);
  }
  const int64_t v = m.integer_or(keys(value), k, 1, kMaxHeadDim);
  if (k != v) fail("{}: {}: expected the key length {}, got {}", m.file_name(), keys(value), k, v);
  return k;
}

Attention read_heads(const Keys& keys, const ModelDesc& desc, int64_t layer, int64_t head_dim,
                     const Rope& rope) {
  const gguf::Metadata& m = keys.metadata;
  const auto n_layers = static_cast<int64_t>(desc.layers.size());
  const auto at = static_cast<size_t>(layer);
  Attention a{.head_dim = head_dim, .rope = rope};
  a.n_heads = m.per_layer(keys("attention.head_count"), n_layers, 1, kMaxHeads)[at];
  a.n_kv_heads =
      m.per_layer_or(keys("attention.head_count_kv"), n_layers, a.n_heads, 1, kMaxHeads)[at];
  if (a.n_heads % a.n_kv_heads)
    fail("{}: {}: expected a divisor of the {} query heads, got {}", m.file_name(),
         keys("attention.head_count_kv"), a.n_heads, a.n_kv_heads);
  a.scale = 1 / std::sqrt(static_cast<float>(a.head_dim));
  return a;
}

void scale_by_width(const ModelDesc& desc, int64_t n_layers_of_27b, Attention& a) {
  if (std::ssize(desc.layers) == n_layers_of_27b)
    a.scale = std::sqrt(static_cast<float>(a.n_heads) / static_cast<float>(desc.n_embd));
}

Attention read_attention(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                         int64_t layer, int64_t head_dim, const Rope& rope, bool output_gate) {
  Attention a = read_heads(keys, desc, layer, head_dim, rope);
  a.output_gate = output_gate;
  read_projections(tensors, desc.n_embd, layer, a);
  a.out = tensors.matrix(in_layer(layer, "attn_output.weight"), a.n_heads * head_dim, desc.n_embd);
  a.out_bias = tensors.optional_vector(in_layer(layer, "attn_output.bias"), desc.n_embd);
  return a;
}

void read_qk_norms(TensorTable& tensors, int64_t layer, Attention& a) {
  a.q_norm = tensors.vector(in_layer(layer, "attn_q_norm.weight"), a.head_dim);
  a.k_norm = tensors.vector(in_layer(layer, "attn_k_norm.weight"), a.head_dim);
}

std::vector<bool> read_flags(const Keys& keys, std::string_view key, int64_t n_layers) {
  const gguf::Metadata& m = keys.metadata;
  const auto value = m.find(keys(key));
  if (!value) return {};
  const auto* array = std::get_if<gguf::Array>(&*value);
  if (!array || array->size() != n_layers)
    fail("{}: {}: expected {} flags, one per layer, got {}", m.file_name(), keys(key), n_layers,
         array ? fmt::format("{}", array->size()) : "no array");
  if (array->type() == gguf::ValueType::boolean) {
    const auto bytes = array->bytes();
    return {bytes.begin(), bytes.end()};
  }
  if (const auto type = array->type(); type == gguf::ValueType::f32 || type == gguf::ValueType::f64)
    fail("{}: {}: expected flags, one per layer, got numbers of type {}", m.file_name(), keys(key),
         gguf::value_type_name(type));
  const std::vector<int64_t> numbers = m.integers_or_empty(keys(key));
  return {numbers.begin(), numbers.end()};
}

std::vector<bool> read_sliding_layers(const Keys& keys, int64_t n_layers, int64_t period) {
  const std::string_view key = "attention.sliding_window_pattern";
  const auto pattern = keys.metadata.find(keys(key));
  if (pattern && std::holds_alternative<gguf::Array>(*pattern))
    return read_flags(keys, key, n_layers);
  period = keys.metadata.integer_or(keys(key), period, 0);
  std::vector<bool> slides;
  for (int64_t i = 0; i < n_layers; ++i) slides.push_back(period == 0 || i % period < period - 1);
  return slides;
}

int64_t read_ffn_width(const Keys& keys, const ModelDesc& desc, int64_t layer) {
  return keys.metadata.per_layer(keys("feed_forward_length"), std::ssize(desc.layers), 1,
                                 kMaxWidth)[static_cast<size_t>(layer)];
}

DenseFfn read_dense_ffn(const Keys& keys, TensorTable& tensors, const ModelDesc& desc,
                        int64_t layer, Activation activation) {
  const int64_t n_ff = read_ffn_width(keys, desc, layer);
  DenseFfn f{.activation = activation};
  f.gate = tensors.optional_matrix(in_layer(layer, "ffn_gate.weight"), desc.n_embd, n_ff);
  if (f.gate) {
    f.up = tensors.matrix(in_layer(layer, "ffn_up.weight"), desc.n_embd, n_ff);
  } else {
    const Tensor fused = tensors.matrix(in_layer(layer, "ffn_up.weight"), desc.n_embd, 2 * n_ff);
    f.gate = part_of(fused, 0, n_ff);
    f.up = part_of(fused, n_ff, n_ff);
  }
  f.down = tensors.matrix(in_layer(layer, "ffn_down.weight"), n_ff, desc.n_embd);
  f.gate_bias = tensors.optional_vector(in_layer(layer, "ffn_gate.bias"), n_ff);
  f.up_bias = tensors.optional_vector(in_layer(layer, "ffn_up.bias"), n_ff);
  f.down_bias = tensors.optional_vector(in_layer(layer, "ffn_down.bias"), desc.n_embd);
  return f;
}

}  // namespace plumb
