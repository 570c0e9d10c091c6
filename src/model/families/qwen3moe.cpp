// qwen3moe: Qwen3 30B-A3B, 235B-A22B and Qwen3-Coder (Qwen Team 2025). The attention of Qwen3, with
// norms of every query and key head, and in each layer a mixture of experts without a shared one.

#include "model/family.h"

namespace plumb {

ModelDesc read_qwen3moe(const Keys& keys, TensorTable& tensors) {
  ModelDesc d = read_decoder(keys, tensors);
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  const Rope rope = read_rope(keys, RopeLayout::half_split, head_dim);
  for (int64_t i = 0; i < static_cast<int64_t>(d.layers.size()); ++i) {
    Attention attention = read_attention(keys, tensors, d, i, head_dim, rope);
    read_qk_norms(tensors, i, attention);
    read_pre_norms(tensors, d, i);
    Layer& layer = d.layers[static_cast<size_t>(i)];
    layer.mixer = attention;
    layer.ffn = read_moe_ffn(keys, tensors, d, i, RouterRule::softmax_top, Activation::silu);
  }
  return d;
}

}  // namespace plumb
