// gemma3, its text part (Gemma Team 2025): the block of gemma2 with norms on the heads of q and k
// instead of a cap on scores, five sliding layers for each that sees everything, and a rope of
// their own for the sliding ones: another base, never stretched.

#include <cmath>

#include "model/family.h"

namespace plumb {

ModelDesc read_gemma3(const Keys& keys, TensorTable& tensors) {
  ModelDesc d = read_decoder(keys, tensors);
  d.embed_scale = std::sqrt(static_cast<float>(d.n_embd));
  d.logit_cap = read_cap(keys, "final_logit_softcapping", 0);
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  const Rope rope = read_rope(keys, RopeLayout::half_split, head_dim);
  require_heads_alike(keys, head_dim, rope.n_dims);
  Rope sliding_rope = read_rope(keys, RopeLayout::half_split, head_dim, "_swa");
  sliding_rope.n_dims = rope.n_dims;
  const int64_t window = keys.metadata.integer_or(keys("attention.sliding_window"), 0);
  const std::vector<bool> slides = read_sliding_layers(keys, std::ssize(d.layers), 6);
  for (int64_t i = 0; i < std::ssize(d.layers); ++i) {
    const auto at = static_cast<size_t>(i);
    const bool sliding = slides[at] && window > 0;
    read_pre_norms(tensors, d, i);
    read_post_norms(tensors, d, i);
    Attention attention =
        read_attention(keys, tensors, d, i, head_dim, sliding ? sliding_rope : rope);
    read_qk_norms(tensors, i, attention);
    attention.window = sliding ? window : 0;
    scale_by_width(d, 62, attention);
    d.layers[at].mixer = std::move(attention);
    d.layers[at].ffn = read_dense_ffn(keys, tensors, d, i, Activation::gelu);
  }
  return d;
}

}  // namespace plumb
