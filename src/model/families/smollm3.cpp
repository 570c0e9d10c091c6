// smollm3: the block of llama, but every 4th layer attends without rope (Yang et al. 2025, "Rope to
// nope and back again"). No key says which.

#include "model/family.h"

namespace plumb {

ModelDesc read_smollm3(const Keys& keys, TensorTable& tensors) {
  constexpr int64_t kRopePeriod = 4;  // the last layer of each has no rope
  ModelDesc d = read_decoder(keys, tensors);
  const int64_t head_dim = read_head_dim(keys, d.n_embd);
  const Rope rope = read_rope(keys, RopeLayout::interleaved, head_dim), none;
  for (int64_t i = 0; i < std::ssize(d.layers); ++i) {
    read_pre_norms(tensors, d, i);
    Layer& layer = d.layers[static_cast<size_t>(i)];
    const bool turns = (i + 1) % kRopePeriod != 0;
    layer.mixer = read_attention(keys, tensors, d, i, head_dim, turns ? rope : none);
    layer.ffn = read_dense_ffn(keys, tensors, d, i, Activation::silu);
  }
  return d;
}

}  // namespace plumb
