// qwen3 (Yang et al. 2025): the block of qwen2 without its biases, with an RMS norm on every head
// of q and k before they turn, and a head size that is not width / heads.

#include "model/family.h"

namespace plumb {

ModelDesc read_qwen3(const Keys& keys, TensorTable& tensors) {
  ModelDesc d = read_decoder(keys, tensors);
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  const Rope rope = read_rope(keys, RopeLayout::half_split, head_dim);
  for (int64_t i = 0; i < std::ssize(d.layers); ++i) {
    read_pre_norms(tensors, d, i);
    Attention attention = read_attention(keys, tensors, d, i, head_dim, rope);
    read_qk_norms(tensors, i, attention);
    Layer& layer = d.layers[static_cast<size_t>(i)];
    layer.mixer = std::move(attention);
    layer.ffn = read_dense_ffn(keys, tensors, d, i, Activation::silu);
  }
  return d;
}

}  // namespace plumb
