// gemma4 (Gemma Team 2026): the block of gemma3 with unscaled scores, values that are normed and,
// in the large models' layers that see everything, are the keys before norm and rope. Those layers
// have heads of another size and turn only the fast pairs. One model adds experts beside the dense
// FFN; the small ones share the caches of their last layers and give every layer a slice of a
// second embedding. All of it is scaled at the end of each layer.

#include <cmath>

#include "base/error.h"
#include "model/family.h"

namespace plumb {
namespace {

struct Kind {
  int64_t head_dim;
  Rope rope;
  int64_t window;  // 0: all positions
};

Kind full_kind(const Keys& keys, TensorTable& tensors, const ModelDesc& d) {
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  Rope rope = read_rope(keys, RopeLayout::half_split, head_dim);
  multiply_factors(rope, read_factors(keys, tensors.vector("rope_freqs.weight", rope.n_dims / 2)));
  return {head_dim, rope, 0};
}

Kind sliding_kind(const Keys& keys, const ModelDesc& d) {
  const int64_t head_dim = read_head_dim(keys, d.n_embd, "_swa");
  Rope rope = read_rope(keys, RopeLayout::half_split, head_dim, "_swa");
  return {head_dim, rope, keys.metadata.integer(keys("attention.sliding_window"), 1)};
}

// The last layer of the same kind that has keys and values of its own: those after the first
// n_owning share them.
int last_owner(const Keys& keys, const std::vector<bool>& slides, int64_t layer, int64_t n_owning) {
  for (int64_t i = n_owning; i-- > 0;)
    if (slides[static_cast<size_t>(i)] == slides[static_cast<size_t>(layer)])
      return static_cast<int>(i);
  fail("{}: {}: expected a layer of each kind among the first {}, got none for layer {}",
       keys.metadata.file_name(), keys("attention.shared_kv_layers"), n_owning, layer);
}

Attention read_mixer(const Keys& keys, TensorTable& tensors, const ModelDesc& d, int64_t i,
                     const Kind& kind, int owner) {
  Attention a = read_heads(keys, d, i, kind.head_dim, kind.rope);
  const int64_t q = a.n_heads * a.head_dim, kv = a.n_kv_heads * a.head_dim;
  a.scale = 1;
  a.window = kind.window;
  a.cache_of_layer = owner;
  a.v_norm = true;
  a.q = tensors.matrix(in_layer(i, "attn_q.weight"), d.n_embd, q);
  a.out = tensors.matrix(in_layer(i, "attn_output.weight"), q, d.n_embd);
  a.q_norm = tensors.vector(in_layer(i, "attn_q_norm.weight"), a.head_dim);
  if (owner < 0) {
    a.k = tensors.matrix(in_layer(i, "attn_k.weight"), d.n_embd, kv);
    a.v = tensors.optional_matrix(in_layer(i, "attn_v.weight"), d.n_embd, kv);
    a.k_norm = tensors.vector(in_layer(i, "attn_k_norm.weight"), a.head_dim);
    return a;
  }
  for (const char* unused : {"attn_k.weight", "attn_v.weight", "attn_k_norm.weight"})
    tensors.ignore(in_layer(i, unused));
  const auto& from = std::get<Attention>(d.layers[static_cast<size_t>(owner)].mixer);
  if (from.n_kv_heads != a.n_kv_heads)
    fail("{}: {}: expected {} in layer {}, which shares the cache of layer {}, got {}",
         keys.metadata.file_name(), keys("attention.head_count_kv"), from.n_kv_heads, i, owner,
         a.n_kv_heads);
  return a;
}

// The experts have inputs, routing and norms of their own; the dense FFN is the one that all tokens
// share.
Ffn read_ffn(const Keys& keys, TensorTable& tensors, const ModelDesc& d, int64_t i) {
  DenseFfn dense = read_dense_ffn(keys, tensors, d, i, Activation::gelu);
  if (keys.metadata.integer_or(keys("expert_count"), 0) == 0) return dense;
  MoeFfn f = read_moe_ffn(keys, tensors, d, i, RouterRule::softmax_top, Activation::gelu);
  f.router_norm = tensors.vector(in_layer(i, "ffn_gate_inp.scale"), d.n_embd);
  f.router_scale = 1 / std::sqrt(static_cast<float>(d.n_embd));
  f.expert_norm = tensors.vector(in_layer(i, "pre_ffw_norm_2.weight"), d.n_embd);
  f.expert_scale = tensors.optional_vector(in_layer(i, "ffn_down_exps.scale"), f.n_experts);
  f.shared = std::move(dense);
  f.shared_post_norm = tensors.vector(in_layer(i, "post_ffw_norm_1.weight"), d.n_embd);
  f.routed_post_norm = tensors.vector(in_layer(i, "post_ffw_norm_2.weight"), d.n_embd);
  return f;
}

void read_per_layer_embedding(const Keys& keys, TensorTable& tensors, ModelDesc& d) {
  PerLayerEmbedding& p = d.per_layer;
  p.width = keys.metadata.integer_or(keys("embedding_length_per_layer_input"), 0, 0, kMaxHeadDim);
  if (p.width == 0) return;
  const int64_t all = p.width * std::ssize(d.layers);
  p.table = tensors.matrix("per_layer_token_embd.weight", all, d.n_vocab);
  p.projection = tensors.matrix("per_layer_model_proj.weight", d.n_embd, all);
  p.norm = tensors.vector("per_layer_proj_norm.weight", p.width);
  for (int64_t i = 0; i < std::ssize(d.layers); ++i) {
    PerLayerInput& input = d.layers[static_cast<size_t>(i)].per_layer_input;
    input.gate = tensors.matrix(in_layer(i, "inp_gate.weight"), d.n_embd, p.width);
    input.out = tensors.matrix(in_layer(i, "proj.weight"), p.width, d.n_embd);
    input.post_norm = tensors.vector(in_layer(i, "post_norm.weight"), d.n_embd);
  }
}

}  // namespace

ModelDesc read_gemma4(const Keys& keys, TensorTable& tensors) {
  ModelDesc d = read_decoder(keys, tensors);
  d.embed_scale = std::sqrt(static_cast<float>(d.n_embd));
  d.logit_cap = read_cap(keys, "final_logit_softcapping", 30);
  const int64_t n_layers = std::ssize(d.layers);
  const Kind full = full_kind(keys, tensors, d), sliding = sliding_kind(keys, d);
  const std::vector<bool> slides = read_flags(keys, "attention.sliding_window_pattern", n_layers);
  if (slides.empty())
    fail("{}: expected a key {}, got none", keys.metadata.file_name(),
         keys("attention.sliding_window_pattern"));
  const int64_t n_owning =
      n_layers - keys.metadata.integer_or(keys("attention.shared_kv_layers"), 0, 0, n_layers - 1);
  for (int64_t i = 0; i < n_layers; ++i) {
    const auto at = static_cast<size_t>(i);
    const int owner = i < n_owning ? -1 : last_owner(keys, slides, i, n_owning);
    read_pre_norms(tensors, d, i);
    read_post_norms(tensors, d, i);
    d.layers[at].mixer = read_mixer(keys, tensors, d, i, slides[at] ? sliding : full, owner);
    d.layers[at].ffn = read_ffn(keys, tensors, d, i);
    d.layers[at].output_scale =
        read_scalar(keys, tensors, in_layer(i, "layer_output_scale.weight"), 1);
  }
  read_per_layer_embedding(keys, tensors, d);
  return d;
}

}  // namespace plumb
