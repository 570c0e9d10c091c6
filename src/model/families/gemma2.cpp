// gemma2 (Gemma Team 2024): norms before and after each branch, layers that slide and layers that
// see everything in turns, soft caps on scores and logits, GELU, a scaled embedding.

#include <cmath>

#include "model/family.h"

namespace plumb {

ModelDesc read_gemma2(const Keys& keys, TensorTable& tensors) {
  ModelDesc d = read_decoder(keys, tensors);
  d.embed_scale = std::sqrt(static_cast<float>(d.n_embd));
  d.logit_cap = read_cap(keys, "final_logit_softcapping", 30);
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  const Rope rope = read_rope(keys, RopeLayout::half_split, head_dim);
  const Rope sliding_rope = read_rope_of_windows(keys, RopeLayout::half_split, head_dim);
  const int64_t window = keys.metadata.integer_or(keys("attention.sliding_window"), 4096, 1);
  const std::vector<bool> slides = read_sliding_layers(keys, std::ssize(d.layers), 2);
  for (int64_t i = 0; i < std::ssize(d.layers); ++i) {
    const auto at = static_cast<size_t>(i);
    read_pre_norms(tensors, d, i);
    read_post_norms(tensors, d, i);
    Attention attention =
        read_attention(keys, tensors, d, i, head_dim, slides[at] ? sliding_rope : rope);
    attention.window = slides[at] ? window : 0;
    attention.logit_cap = read_cap(keys, "attn_logit_softcapping", 50);
    scale_by_width(d, 46, attention);
    d.layers[at].mixer = std::move(attention);
    d.layers[at].ffn = read_dense_ffn(keys, tensors, d, i, Activation::gelu);
  }
  return d;
}

}  // namespace plumb
