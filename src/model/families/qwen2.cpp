// qwen2: Qwen2, Qwen2.5 and the distillations into them (Yang et al. 2024). The block of llama with
// half-split rope and biases on q, k and v; long-context files carry yarn keys.

#include "model/family.h"

namespace plumb {

ModelDesc read_qwen2(const Keys& keys, TensorTable& tensors) {
  ModelDesc d = read_decoder(keys, tensors);
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  const Rope rope = read_rope(keys, RopeLayout::half_split, head_dim);
  for (int64_t i = 0; i < std::ssize(d.layers); ++i) {
    read_pre_norms(tensors, d, i);
    Layer& layer = d.layers[static_cast<size_t>(i)];
    layer.mixer = read_attention(keys, tensors, d, i, head_dim, rope);
    layer.ffn = read_dense_ffn(keys, tensors, d, i, Activation::silu);
  }
  return d;
}

}  // namespace plumb
